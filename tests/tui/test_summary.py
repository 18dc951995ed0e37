import random

import pytest

from sparktest.domain import RunPage, Status
from sparktest.errors import UnavailableError
from sparktest.kubectl import CURRENT, Target
from sparktest.run_poller import RunPoller
from sparktest.tui import summary
from sparktest.tui.state import Filter, RunStore
from tests.tui.fakes import make_runs


def poller_of(*, loaded: bool = False, error: UnavailableError | None = None) -> RunPoller:
    poller = RunPoller(random.Random(0), sweep_seconds=60)
    if loaded:
        poller.received(poller.next_request(0), RunPage(runs=()), 0)
    if error:
        poller.failed(error, 0)
    return poller


def store_of(count: int, active: Filter | None = None) -> RunStore:
    store = RunStore()
    store.apply(make_runs(count))
    store.show(active or Filter())
    return store


def empty_state(store: RunStore, poller: RunPoller, target: Target = CURRENT) -> str:
    content = summary.empty_state(store, poller, "localhost:8080", target)
    return content.plain if content else ""


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_the_counts_that_do_not_fit_are_left_out(width):
    line = summary.counts(store_of(60), loaded=True, width=width).plain
    assert "✓ 34 of 52 passed  ✗ 12 failed" in line
    assert ("cancelled" in line) == (width >= 140)


def test_a_total_that_may_grow_has_a_plus():
    store = store_of(3)
    assert "3+ runs" in summary.counts(store, loaded=False, width=80).plain
    assert "3 runs" in summary.counts(store, loaded=True, width=80).plain


def test_the_active_filters_are_shown_with_the_number_of_runs():
    store = store_of(10, Filter(status=Status.FAILED, search=" search "))
    line = summary.filters(store).plain
    assert line == "origin all  status failed  ns all  1 of 10 shown  search “search”"


@pytest.mark.parametrize(
    ("poller", "state"),
    [
        (poller_of(), "loading"),
        (poller_of(loaded=True), "live"),
        (poller_of(loaded=True, error=UnavailableError("refused")), "disconnected"),
    ],
)
def test_the_connection_status_follows_the_poller(poller, state):
    assert summary.connection_status(poller, "localhost:8080", 120).plain == (
        f"● {state}  localhost:8080"
    )
    assert summary.connection_status(poller, "localhost:8080", 80).plain == f"● {state}"


def test_the_empty_state_shows_why_no_run_is_shown():
    assert empty_state(store_of(3), poller_of(loaded=True)) == ""
    assert "Loading" in empty_state(store_of(0), poller_of())
    refused = poller_of(error=UnavailableError("refused"))
    assert "Cannot read the runs." in empty_state(store_of(0), refused)
    store = store_of(3, Filter(search="zzz"))
    assert "No run matches.\n\nsearch “zzz”" in empty_state(store, poller_of(loaded=True))


def test_the_command_of_an_empty_list_names_the_cluster():
    shown = empty_state(store_of(0), poller_of(loaded=True), Target(context="prod"))
    assert "sparktest crd --example testrun | kubectl" in shown
    assert "--context prod" in shown
