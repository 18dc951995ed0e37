import json
from collections.abc import Callable

from sparktest.cli import watching
from sparktest.cli.watching import changes, read, watch_runs
from sparktest.client import ApiClient
from sparktest.domain import Run, RunReport, Status


class EnoughError(Exception):
    """Ends what would go on for ever."""


def playing(*acts: Callable[[], object]) -> Callable[[float], None]:
    """A pause in which one thing after the other happens, and then the end."""
    left = list(acts)

    def pause(seconds: float) -> None:
        if not left:
            raise EnoughError
        left.pop(0)()

    return pause


def seen(api: ApiClient, filters: dict[str, object], *acts: Callable[[], object]) -> list[Run]:
    found, _ = read(api, filters, 100)
    came = []
    try:
        for run in changes(api, filters, found, pause=playing(*acts)):
            came.append(run)
    except EnoughError:
        return came
    raise AssertionError


def test_new_runs_and_changes_come_once_and_in_order(api: ApiClient) -> None:
    run = api.create_run({"name": "old", "image": "i"})

    came = seen(
        api,
        {},
        lambda: api.create_run({"name": "new", "image": "i"}),
        lambda: None,
        lambda: api.report_run(run.id, RunReport(status=Status.RUNNING)),
        lambda: api.report_run(run.id, RunReport(status=Status.SUCCEEDED)),
    )

    assert [(each.name, each.status.value) for each in came] == [
        ("new", "pending"),
        ("old", "running"),
        ("old", "succeeded"),
    ]


def test_a_run_that_leaves_the_wanted_status_has_a_last_line(api: ApiClient) -> None:
    run = api.create_run({"name": "mine", "image": "i"})
    other = api.create_run({"name": "other", "image": "i"})
    api.report_run(run.id, RunReport(status=Status.RUNNING))

    came = seen(
        api,
        {"status": ["running"]},
        lambda: api.report_run(other.id, RunReport(status=Status.FAILED)),
        lambda: api.report_run(run.id, RunReport(status=Status.SUCCEEDED)),
    )

    assert [(each.name, each.status.value) for each in came] == [("mine", "succeeded")]


def test_where_nothing_was_the_first_is_seen(api: ApiClient) -> None:
    came = seen(api, {}, lambda: None, lambda: api.create_run({"name": "first", "image": "i"}))

    assert [each.name for each in came] == ["first"]


def test_a_watch_goes_on_with_its_table_or_a_line_of_json(
    api: ApiClient, capsys, monkeypatch
) -> None:
    run = api.create_run({"name": "watched", "image": "i"})
    ended = api.report_run(run.id, RunReport(status=Status.SUCCEEDED))
    monkeypatch.setattr(watching, "changes", lambda *args: iter([ended]))

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
