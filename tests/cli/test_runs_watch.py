import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from sparktest.cli import runs as runs_module
from sparktest.cli.runs import changes, list_newest, watch_runs
from sparktest.client import ApiClient
from sparktest.domain import Origin, Run, RunPage, RunReport, Status
from sparktest.errors import SparkTestError, UnauthorizedError, UnavailableError

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class EnoughError(Exception):
    """Ends an endless watch."""


def pause_with(*actions: Callable[[], object]) -> Callable[[float], None]:
    """Return a pause that runs one action per call, and raises EnoughError after the last."""
    left = list(actions)

    def pause(seconds: float) -> None:
        if not left:
            raise EnoughError
        left.pop(0)()

    return pause


def changes_during(
    api: ApiClient, filters: dict[str, object], *actions: Callable[[], object]
) -> list[Run]:
    found, _ = list_newest(api, filters, 100)
    changed = []
    try:
        for run in changes(api, filters, found, pause=pause_with(*actions)):
            changed.append(run)
    except EnoughError:
        return changed
    raise AssertionError


def test_new_runs_and_changes_come_once_and_in_order(api: ApiClient) -> None:
    run = api.create_run({"name": "old", "image": "i"})

    changed = changes_during(
        api,
        {},
        lambda: api.create_run({"name": "new", "image": "i"}),
        lambda: None,
        lambda: api.report_run(run.id, RunReport(status=Status.RUNNING)),
        lambda: api.report_run(run.id, RunReport(status=Status.SUCCEEDED)),
    )

    assert [(each.name, each.status.value) for each in changed] == [
        ("new", "pending"),
        ("old", "running"),
        ("old", "succeeded"),
    ]


def test_a_run_that_leaves_the_status_filter_has_a_last_line(api: ApiClient) -> None:
    run = api.create_run({"name": "mine", "image": "i"})
    other = api.create_run({"name": "other", "image": "i"})
    api.report_run(run.id, RunReport(status=Status.RUNNING))

    changed = changes_during(
        api,
        {"status": ["running"]},
        lambda: api.report_run(other.id, RunReport(status=Status.FAILED)),
        lambda: api.report_run(run.id, RunReport(status=Status.SUCCEEDED)),
    )

    assert [(each.name, each.status.value) for each in changed] == [("mine", "succeeded")]


class ManyChanges:
    """A client whose runs all change at once; it serves pages as the API does, newest first."""

    def __init__(self, count: int) -> None:
        self.runs = [
            Run(
                id=str(number),
                name="n",
                status=Status.SUCCEEDED,
                origin=Origin.API,
                created_at=NOW,
                updated_at=NOW + timedelta(microseconds=number),
            )
            for number in reversed(range(count))
        ]

    def list_runs(self, *, cursor: str | None, limit: int, **filters: object) -> RunPage:
        start = int(cursor or 0)
        end = start + limit
        return RunPage(
            runs=tuple(self.runs[start:end]), next=str(end) if end < len(self.runs) else None
        )


def test_more_changes_than_a_page_are_all_shown_oldest_first() -> None:
    client = ManyChanges(1500)
    watched = changes(cast(ApiClient, client), {}, [], pause=lambda seconds: None)

    shown = [next(watched) for _ in range(1500)]

    assert shown == client.runs[::-1]


class FlakyApi(ManyChanges):
    """A client whose first requests fail."""

    def __init__(self, errors: Sequence[SparkTestError]) -> None:
        super().__init__(1)
        self.errors = list(errors)

    def list_runs(self, *, cursor: str | None, limit: int, **filters: object) -> RunPage:
        if self.errors:
            raise self.errors.pop(0)
        return super().list_runs(cursor=cursor, limit=limit)


def first_change(client: ManyChanges, *, keep_trying: bool = False) -> Run:
    pauses: list[float] = []
    watched = changes(cast(ApiClient, client), {}, [], pause=pauses.append, keep_trying=keep_trying)
    return next(watched)


def test_a_watch_continues_after_a_short_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    outage = [UnavailableError("down")] * 3

    assert first_change(FlakyApi(outage)).id == "0"
    monkeypatch.setattr(runs_module, "RETRY_SECONDS", 0.0)
    with pytest.raises(UnavailableError):
        first_change(FlakyApi(outage))
    assert first_change(FlakyApi(outage), keep_trying=True).id == "0"


def test_a_watch_ends_with_an_error_that_a_retry_cannot_help() -> None:
    with pytest.raises(UnauthorizedError):
        first_change(FlakyApi([UnauthorizedError("no token")]))
    assert first_change(FlakyApi([UnauthorizedError("no token")]), keep_trying=True).id == "0"


def test_an_empty_list_shows_the_first_run(api: ApiClient) -> None:
    changed = changes_during(
        api, {}, lambda: None, lambda: api.create_run({"name": "first", "image": "i"})
    )

    assert [each.name for each in changed] == ["first"]


def test_a_watch_prints_rows_of_its_table_or_lines_of_json(
    api: ApiClient, capsys, monkeypatch
) -> None:
    run = api.create_run({"name": "watched", "image": "i"})
    ended = api.report_run(run.id, RunReport(status=Status.SUCCEEDED))
    monkeypatch.setattr(runs_module, "changes", lambda *args: iter([ended]))

    watch_runs(api, {}, [run], "table")
    title, first, second = capsys.readouterr().out.splitlines()
    watch_runs(api, {}, [run], "json")
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    watch_runs(api, {}, [run], "name")

    assert title.index("NAMESPACE") == first.index("tests")
    assert first.split()[1] == "pending"
    assert second.split()[1] == "succeeded"
    assert [each["status"] for each in documents] == ["pending", "succeeded"]
    assert capsys.readouterr().out.split() == [run.id, run.id]
