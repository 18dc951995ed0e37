from datetime import UTC, datetime

import pytest

from sparktest import run_poller
from sparktest.cli import runs
from sparktest.cli.up.run_changes import RunChanges, describe
from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, Origin, Run, RunReport, Status
from tests.e2e.program import until
from tests.live_api import TOKEN


class Reader:
    """Collects the lines of changes."""

    def __init__(self, changes: RunChanges) -> None:
        self.changes = changes
        self.lines: list[str] = []

    def has(self, words: str) -> bool:
        self.lines.extend(self.changes.lines())
        return any(words in line for line in self.lines)


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "POLL_SECONDS", 0.02)


def become_ready(api: ApiClient, changes: RunChanges) -> None:
    """Call the API as a controller does, and wait until the changes are read."""
    until("the API is ready", changes.api_ready.is_set)
    with ApiClient(api.url, TOKEN, cluster="c") as controller:
        controller.list_runs()
    until("the controller is ready", changes.controller_ready.is_set)


def test_every_change_of_a_run_is_one_line(api: ApiClient) -> None:
    with RunChanges(api.url, TOKEN) as changes:
        reader = Reader(changes)
        become_ready(api, changes)
        run = api.create_run({"name": "hello", "image": "i"})
        until("the new run is listed", lambda: reader.has("pending"))
        api.report_run(run.id, RunReport(status=Status.RUNNING))
        until("it is running", lambda: reader.has("running"))
        api.report_run(run.id, RunReport(status=Status.SUCCEEDED))
        until("it has ended", lambda: reader.has("succeeded"))

    assert len(reader.lines) == len(set(reader.lines)) == 3
    assert all(line.startswith(f"{run.id[:8]} api tests/hello ") for line in reader.lines)


def test_more_changes_than_a_page_are_all_listed(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_poller, "PAGE_SIZE", 10)
    with RunChanges(api.url, TOKEN) as changes:
        reader = Reader(changes)
        become_ready(api, changes)
        for number in range(15):
            api.create_run({"name": f"run-{number}", "image": "i"})

        for number in range(15):
            until(f"run {number} is listed", lambda number=number: reader.has(f"run-{number} "))  # type: ignore[misc]

    assert len(reader.lines) == 15


def test_a_controller_is_ready_when_it_has_called_the_api_in_this_session(api: ApiClient) -> None:
    with ApiClient(api.url, TOKEN, cluster="earlier") as earlier:
        earlier.list_runs()
    with RunChanges(api.url, TOKEN) as changes:
        until("the API is ready", changes.api_ready.is_set)
        assert not changes.controller_ready.is_set()

        become_ready(api, changes)


def test_a_failed_run_has_its_reason_and_duration() -> None:
    run = Run(
        id="0123456789",
        name="n\nn",
        namespace="team",
        status=Status.FAILED,
        origin=Origin.CRD,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        duration=3.2,
        failure=Failure(class_=FailureClass.INFRA, reason="OOMKilled"),
    )

    assert describe(run) == "01234567 crd team/n n failed (OOMKilled) in 3s"
