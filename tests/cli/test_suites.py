import threading

import pytest

from sparktest.cli.exits import Exit
from sparktest.cli.suites import worst
from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, RunReport, Status
from tests.cli.conftest import Cli

ENDS = {
    "passes": RunReport(status=Status.SUCCEEDED),
    "fails": RunReport(
        status=Status.FAILED, failure=Failure(class_=FailureClass.TEST, reason="Error", exit_code=1)
    ),
    "evicted": RunReport(
        status=Status.FAILED, failure=Failure(class_=FailureClass.INFRA, reason="Evicted")
    ),
}


@pytest.fixture
def definitions(api: ApiClient) -> dict[str, str]:
    """The id of a definition for each way to end."""
    return {name: api.definitions.create({"name": name, "image": "busybox"}).id for name in ENDS}


def end_runs(api: ApiClient, suite_run_id: str) -> None:
    """Report the end of each run of a suite run, as its definition is called."""
    while not (suite_run := api.suite_runs.get(suite_run_id)).status.final:
        for run in suite_run.runs or ():
            if run.status_reason != "WaitingForSuite" and not run.status.final:
                api.report_run(run.id, ENDS[run.definition_name or ""])


def test_a_suite_is_created_from_options(
    cli: Cli, api: ApiClient, definitions: dict[str, str]
) -> None:
    result = cli(
        *("suites", "create", "--name", "all", "--definition", "fails", "--definition", "passes"),
        *("--mode", "sequential", "--stop-on-failure", "--description", "everything"),
    )

    assert (result.code, result.err) == (0, "")
    made = api.suites.get(result.out.strip())
    assert made.test_definition_ids == (definitions["fails"], definitions["passes"])
    assert (made.execution_mode, made.stop_on_failure) == ("sequential", True)

    assert cli("suites", "update", "all", "--continue-on-failure").code == 0
    changed = api.suites.get(made.id)
    assert (changed.stop_on_failure, changed.test_definition_ids) == (
        False,
        made.test_definition_ids,
    )


def test_suites_are_listed_with_the_names_of_their_definitions(
    cli: Cli, api: ApiClient, definitions: dict[str, str]
) -> None:
    cli("suites", "create", "--name", "all", "--definition", "fails", "--definition", "passes")

    _, line = cli("suites", "list").out.splitlines()

    assert "fails, passes" in line
    assert cli("suites", "delete", "all").code == 0
    assert api.suites.list() == ()


@pytest.mark.parametrize(
    ("names", "code"),
    [(["passes"], 0), (["passes", "fails"], 1), (["evicted", "fails", "passes"], 3)],
)
def test_run_waits_for_all_and_exits_as_the_worst(
    cli: Cli, api: ApiClient, definitions: dict[str, str], names: list[str], code: int
) -> None:
    ids = [definitions[name] for name in names]
    suite = api.suites.create(
        {"name": "all", "testDefinitionIds": ids, "executionMode": "parallel"}
    )
    other = threading.Thread(target=lambda: _end_next(api, suite.id))
    other.start()

    result = cli("suites", "run", "all", "--wait")

    other.join()
    assert result.code == code
    assert result.out.strip() == api.suite_runs.list_page().suite_runs[0].id
    for name in names:
        assert f"sparktest: {name} " in result.err


def _end_next(api: ApiClient, suite_id: str) -> None:
    while not (found := api.suite_runs.list_page(suite_id=[suite_id]).suite_runs):
        pass
    end_runs(api, found[0].id)


def test_suite_runs_are_listed_and_cancelled(
    cli: Cli, api: ApiClient, definitions: dict[str, str]
) -> None:
    ids = [definitions["passes"], definitions["fails"]]
    api.suites.create({"name": "all", "testDefinitionIds": ids})
    started = cli("suites", "run", "all").out.strip()

    _, line = cli("suites", "runs", "all").out.splitlines()
    assert line.startswith(started)
    assert "2 pending" in line
    assert cli("runs", "--suite-run", started[:8], "-o", "name").out.count("\n") == 2
    unknown = cli("suites", "cancel", "nope")
    assert (unknown.code, unknown.out) == (2, "")
    assert "no suite run has the id 'nope'" in unknown.err
    assert cli("suites", "cancel", started[:8]).code == 0
    assert api.suite_runs.get(started).cancel_requested_at is not None


def test_suite_runs_of_a_deleted_suite_are_listed_by_name_and_id(
    cli: Cli, api: ApiClient, definitions: dict[str, str]
) -> None:
    body = {"name": "all", "testDefinitionIds": [definitions["passes"]]}
    first = api.suites.create(body)
    old = cli("suites", "run", "all").out.strip()
    api.suites.delete(first.id)
    assert cli("suites", "runs", "all", "-o", "name").out.split() == [old]
    second = api.suites.create(body)
    new = cli("suites", "run", "all").out.strip()
    assert cli("suites", "runs", "all", "-o", "name").out.split() == [new, old]
    assert cli("suites", "runs", first.id, "-o", "name").out.split() == [old]
    assert cli("suites", "runs", second.id[:8], "-o", "name").out.split() == [new]
    assert cli("suites", "runs", "none").code == 2


def test_a_schedule_starts_a_suite(cli: Cli, api: ApiClient, definitions: dict[str, str]) -> None:
    api.suites.create({"name": "all", "testDefinitionIds": [definitions["passes"]]})

    made = cli("schedules", "create", "--name", "n", "--suite", "all", "--cron", "@daily")

    assert (made.code, made.err) == (0, "")
    assert " all " in cli("schedules", "list").out
    started = cli("schedules", "run", "n").out.strip()
    assert api.suite_runs.get(started).schedule_id == made.out.strip()
    assert cli("runs", "--schedule", "n", "-o", "name").out.count("\n") == 1
    assert "no schedule has the id or name 'm'" in cli("runs", "--schedule", "m").err
    assert cli("schedules", "update", "n", "--definition", "fails").code == 0
    assert api.schedules.get(made.out.strip()).suite_id is None


def test_the_worst_outcome_is_an_unknown_one() -> None:
    assert worst([]) is Exit.PASSED
    assert worst([Exit.PASSED, Exit.CANCELLED, Exit.TEST_FAILED]) is Exit.TEST_FAILED
    assert worst([Exit.INFRA, Exit.TIMED_OUT, Exit.TEST_FAILED]) is Exit.INFRA
