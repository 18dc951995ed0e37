"""The screen of a run: its fields, its source, and what follows the run."""

import pytest

from sparktest import kubectl
from sparktest.domain import Failure, FailureClass, Status
from sparktest.tui.widgets.static import CachedStatic
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import FakeApi, changed, make_run, make_runs
from tests.tui.screens.opening import log_of, opened


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_details_show_the_run_and_its_source(size):
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows(
            run.id,
            run.job_name,
            "✓ succeeded",
            "after 1m55s",
            "CRD",
            "Source",
            "Started from TestRun CRD",
            "qa",
            run.name,
            kubectl.get(run),
            "kubectl describe testruns.sparktest.dev",
        )

    drive(scenario, api=FakeApi(make_runs(6)), size=size)


def test_a_wide_terminal_shows_everything_at_once():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows(
            "Image",
            run.image,
            "SUITE=payments-contract",
            "BASE_URL, TOKEN",
            "Timeout",
            "Created",
            "Started",
            "Finished",
            kubectl.logs(run),
        )
        assert ui.screen().count("Image") == 1
        assert "do-not-show" not in ui.screen()

    drive(scenario, api=FakeApi(make_runs(6)), size=(140, 40))


def test_a_failed_run_shows_its_failure_first():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(2))
        seen = await ui.shows(
            "✗ test · Error · exit code 3",
            "the test itself failed",
            "the container ended with exit code 3",
        )
        assert seen.index("exit code 3") < seen.index("Definition")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_the_screen_of_a_pending_run_shows_what_it_waits_for():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(0))
        await ui.shows("Waits for", "Unschedulable: 0/3 nodes", "the container has not started")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_an_api_run_shows_the_commands_of_its_job_and_no_source():
    run = make_run(1)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows(f"kubectl get job {run.job_name}")
        assert "Source" not in ui.screen()
        assert "CRD" not in ui.screen()

    drive(scenario, api=FakeApi(make_runs(6)), size=(140, 40))


def test_the_details_follow_the_run_until_it_ends():
    run = make_run(1)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("● running for 1m04s")
        ui.api.put(changed(run, status=Status.FAILED, failure=make_run(2).failure, duration=70.0))
        await ui.poll()
        await ui.shows("✗ failed after 1m10s", "exit code 3")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_an_open_run_that_is_deleted_stays_readable_and_is_marked():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        del ui.api.runs[run.id]
        await ui.poll()
        await ui.shows("   deleted", run.id)
        await ui.press("escape")
        await ui.wait_for(lambda: run.name not in ui.screen())

    drive(scenario, api=FakeApi(make_runs(6)))


def test_opening_a_deleted_run_reports_it():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await ui.shows(run.name)
        del ui.api.runs[run.id]
        await opened(ui, run)
        await ui.shows("was already deleted")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_the_failure_shows_the_last_line_of_the_log():
    failure = Failure(class_=FailureClass.TEST, reason="Error", exit_code=1, message="exit code 1")
    run = make_run(2, failure=failure)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        shown = await ui.shows("last line of the log: assert 1 == 2")
        assert shown.count("exit code 1") == 1

    drive(scenario, api=FakeApi([run], log_of(run, "setup\nassert 1 == 2\n\n")))


def test_a_finished_run_is_not_repainted():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(2))
        await ui.shows("The log is empty")
        await ui.pilot.pause()
        painted = []
        for widget in ui.app.screen.query(CachedStatic):
            widget.refresh = lambda *args, **kw: painted.append(args)  # type: ignore[assignment]
        ui.app.sync()
        await ui.pilot.pause()
        assert painted == []

    drive(scenario, api=FakeApi(make_runs(6)))


def test_l_hides_and_shows_the_details():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(3))
        await ui.shows("Definition")
        await ui.press("l")
        await ui.wait_for(lambda: "Definition" not in ui.screen())
        await ui.press("l")
        await ui.shows("Definition")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_the_labels_and_the_values_of_the_details_and_the_source_are_aligned():
    run = make_run(2)
    labels = ["Status", "ID", "Definition", "Source", "Namespace", "TestRun"]

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows(*labels)
        starts = []
        for label in labels:
            row = next(row for row in ui.screen().splitlines() if row.split()[:1] == [label])
            at = row.index(label)
            starts.append((at, row.index(row.split()[1], at + len(label))))
        assert len(set(starts)) == 1, starts

    drive(scenario, api=FakeApi(make_runs(6)), size=(80, 60))
