import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sparktest.domain import Origin, Run, Status
from sparktest.tui.state import Filter, RunStore
from sparktest.tui.text import namespace, searchable
from tests.tui.fakes import NOW, changed, make_run, make_runs


def store_of(runs: list[Run]) -> RunStore:
    store = RunStore()
    store.apply(runs)
    return store


def shown(store: RunStore) -> list[Run]:
    return [store.at(row) for row in range(len(store))]


FILTERS = st.builds(
    Filter,
    search=st.sampled_from(["", "", "smoke", "crd", "failed", "team nothing", "a"]),
    origin=st.sampled_from([None, None, *Origin]),
    status=st.sampled_from([None, None, *Status]),
    namespace=st.sampled_from([None, None, "default", "qa"]),
)
NUMBERS = st.integers(0, 25)


@dataclass
class Model:
    """The expected runs and the expected run under the cursor."""

    runs: dict[str, Run] = field(default_factory=dict)
    cursor: str | None = None
    moved: bool = False


class CursorMachine(RuleBasedStateMachine):
    """Random operations: once moved, the cursor stays on its run while that run is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.store = RunStore()
        self.model = Model()

    @initialize(numbers=st.sets(NUMBERS, min_size=1))
    def add_first_runs(self, numbers: set[int]) -> None:
        self._apply([make_run(number) for number in numbers])

    @rule(numbers=st.sets(NUMBERS))
    def add_runs(self, numbers: set[int]) -> None:
        known = self.model.runs
        self._apply([make_run(n) for n in numbers if make_run(n).id not in known])

    @rule(number=NUMBERS, status=st.sampled_from(Status))
    def change_status(self, number: int, status: Status) -> None:
        known = self.model.runs.get(make_run(number).id)
        if known is not None:
            self._apply([changed(known, status=status)])

    @rule(number=NUMBERS)
    def change_created_at(self, number: int) -> None:
        known = self.model.runs.get(make_run(number).id)
        if known is not None:
            self._apply([changed(known, created_at=known.created_at - timedelta(seconds=70))])

    @rule(numbers=st.sets(NUMBERS, max_size=5))
    def remove_runs(self, numbers: set[int]) -> None:
        ids = {make_run(number).id for number in numbers}
        self.store.remove(ids)
        for run_id in ids:
            self.model.runs.pop(run_id, None)
        self._follow()

    @rule(wanted=FILTERS)
    def change_filter(self, wanted: Filter) -> None:
        chosen = self.store._chosen
        self.store.show(wanted)
        if chosen and chosen in map(self.store.key_at, range(len(self.store))):
            self.model.cursor = chosen[1]
        self._follow()

    @precondition(lambda self: bool(len(self.store)))
    @rule(row=st.integers(-3, 40))
    def move_cursor(self, row: int) -> None:
        self.store.move_to(row)
        self.model.moved = True
        self.model.cursor = shown(self.store)[max(0, min(row, len(self.store) - 1))].id

    @invariant()
    def the_cursor_is_on_its_run(self) -> None:
        current = self.store.current
        assert (current is None) == (len(self.store) == 0)
        if current is not None:
            assert current.id == self.model.cursor
            assert shown(self.store)[self.store.cursor] is current

    @invariant()
    def exactly_the_matching_runs_are_shown_newest_first(self) -> None:
        wanted = self.store.filter
        matching = [r for r in self.model.runs.values() if wanted.matches(r, searchable(r))]
        assert shown(self.store) == sorted(
            matching, key=lambda run: (-run.created_at.timestamp(), run.id)
        )

    @invariant()
    def every_run_is_counted_once(self) -> None:
        assert self.store.status_counts == Counter(run.status for run in self.model.runs.values())

    def _apply(self, runs: list[Run]) -> None:
        self.store.apply(runs)
        self.model.runs |= {run.id: run for run in runs}
        self._follow()

    def _follow(self) -> None:
        """Expect the cursor to leave its run only when that is hidden, or nobody chose it."""
        if self.model.cursor not in self.model.runs:
            self.model.cursor = None
        if self.store.current and not self.model.moved:
            self.model.cursor = shown(self.store)[0].id
        if self.store.current and self.model.cursor not in [run.id for run in shown(self.store)]:
            self.model.cursor = self.store.current.id


CursorMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestTheCursor = CursorMachine.TestCase


def test_the_cursor_is_on_the_newest_run_until_it_is_moved():
    store = store_of([make_run(5)])
    store.apply([make_run(4)])
    assert store.current == make_run(4)
    store.move_to(0)
    store.apply(make_runs(4))
    assert store.current == make_run(4)
    assert store.cursor == 4


def test_the_cursor_moves_to_the_run_that_takes_the_place_of_a_deleted_one():
    store = store_of(make_runs(5))
    store.move_to(2)
    store.remove([make_run(2).id])
    assert store.current == make_run(3)
    store.remove([make_run(3).id, make_run(4).id])
    assert store.current == make_run(1)


def test_the_cursor_returns_when_the_filter_that_hid_its_run_is_cleared():
    store = store_of(make_runs(20))
    store.move_to(9)
    store.show(Filter(status=Status.CANCELLED))
    assert store.current == make_run(16)
    store.show(Filter())
    assert store.current == make_run(9)


def test_an_older_version_of_a_run_is_ignored():
    store = store_of([changed(make_run(1), status=Status.SUCCEEDED)])
    assert not store.apply([make_run(1)])
    assert store.get(make_run(1).id) == changed(make_run(1), status=Status.SUCCEEDED)


def test_applying_the_same_runs_again_changes_nothing():
    store = store_of(make_runs(3))
    assert not store.apply(make_runs(3))


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("SMOKE", ["checkout-smoke-0"]),
        ("team-web failed", ["search-load-2"]),
        ("crd login", []),
        ("unschedulable", ["checkout-smoke-0"]),
        (make_run(1).id, ["login-flow-1"]),
        ("   ", ["checkout-smoke-0", "login-flow-1", "search-load-2"]),
    ],
)
def test_a_search_matches_all_of_its_words_in_any_column(search, names):
    store = store_of(make_runs(3))
    store.show(Filter(search=search))
    assert [run.name for run in shown(store)] == names


def test_filters_are_combined():
    store = store_of(make_runs(60))
    store.show(Filter(origin=Origin.CRD, status=Status.FAILED, namespace="qa"))
    assert shown(store)
    for run in shown(store):
        assert (run.origin, run.status, namespace(run)) == (Origin.CRD, Status.FAILED, "qa")


def test_only_namespaces_with_runs_are_offered():
    store = store_of(make_runs(8))
    assert store.namespaces == ["default", "qa", "team-pay", "team-web"]
    store.remove([run.id for run in make_runs(8) if run.namespace == "qa"])
    assert store.namespaces == ["default", "team-pay", "team-web"]


def test_applying_100_changes_to_10000_runs_is_fast():
    store = store_of(make_runs(10_000))
    changes = [changed(run, status=Status.SUCCEEDED) for run in make_runs(10_000)[::100]]
    started = time.process_time()
    store.apply(changes)
    assert time.process_time() - started < 0.1
    assert len(store) == 10_000


def test_runs_created_at_the_same_time_have_a_stable_order():
    runs = [msgspec.structs.replace(run, created_at=NOW) for run in make_runs(9)]
    assert shown(store_of(runs)) == shown(store_of(runs[::-1]))
