"""Cancelling and deleting a run from its screen, which ask first."""

import pytest
from textual.widgets import Button

from sparktest import kubectl
from sparktest.domain import Run, Status
from sparktest.errors import ConflictError
from sparktest.tui.screens.dialog import Dialog
from sparktest.tui.screens.run import RunScreen
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import FakeApi, make_run, make_runs
from tests.tui.screens.opening import opened


def test_enter_typed_before_the_question_is_drawn_does_not_confirm():
    run = make_run(1)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        ui.type("c", "enter", "enter")
        await ui.pilot.pause()
        assert ui.api.runs[run.id].cancel_requested_at is None

    drive(scenario, api=FakeApi(make_runs(6)))


@pytest.mark.parametrize("keys", ["c", "y", "question_mark"])
def test_a_dialog_that_is_dismissed_twice_closes_once(keys):
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(1))
        await ui.press(keys)
        dialog = ui.app.screen
        assert isinstance(dialog, Dialog)
        dialog.dismiss(None)
        dialog.dismiss(None)
        await ui.wait_for(lambda: ui.app.screen is not dialog)
        assert isinstance(ui.app.screen, RunScreen)

    drive(scenario, api=FakeApi(make_runs(6)))


def test_cancel_asks_first_and_enter_alone_answers_no():
    run = make_run(1)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.press("c")
        await ui.shows("Cancel this run?", run.name, f"sparktest cancel {run.id}")
        focused = ui.app.focused
        assert isinstance(focused, Button)
        assert focused.id == "no"
        await ui.press("enter")
        assert ui.api.runs[run.id].cancel_requested_at is None

    drive(scenario, api=FakeApi(make_runs(6)))


def test_y_confirms_a_question():
    run = make_run(1)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.press("c")
        await ui.shows("Cancel this run?")
        await ui.press("y")
        await ui.shows("is being cancelled")
        assert ui.api.runs[run.id].cancel_requested_at is not None

    drive(scenario, api=FakeApi(make_runs(6)))


@pytest.mark.parametrize("key", ["escape", "n"])
def test_n_and_escape_close_a_question(key):
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        await ui.press("j", "c")
        await ui.shows("Cancel this run?")
        await ui.press(key)
        await ui.wait_for(lambda: "Cancel this run?" not in ui.screen())
        assert ui.api.runs[make_run(1).id].cancel_requested_at is None

    drive(scenario, api=FakeApi(make_runs(6)))


def test_confirming_cancels_the_run_of_the_question_even_if_the_list_has_changed():
    run = make_run(1)

    async def scenario(ui: AppPilot) -> None:
        await ui.shows(run.name)
        await ui.press("j", "c")
        await ui.shows("Cancel this run?")
        ui.api.put(make_run(100, created_at=run.created_at, status=Status.RUNNING))
        ui.app.store.remove([run.id])
        await ui.poll()
        await ui.press("right", "enter")
        await ui.shows("is being cancelled")
        asked = [r.id for r in ui.api.runs.values() if r.cancel_requested_at]
        assert asked == [run.id]

    drive(scenario, api=FakeApi(make_runs(6)))


def test_no_question_is_asked_about_a_finished_run():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(3))
        await ui.press("c")
        await ui.shows("has already ended: succeeded")
        assert "Cancel this run?" not in ui.screen()

    drive(scenario, api=FakeApi(make_runs(6)))


def test_a_rejected_action_is_reported_with_its_reason():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(1))
        await ui.press("c")
        await ui.shows("Cancel this run?")

        def refuse(run_id: str) -> Run:
            raise ConflictError("the run [/] has ended")

        ui.api.cancel_run = refuse  # type: ignore[method-assign]
        await ui.press("right", "enter")
        await ui.shows("cancel failed", "the run [/] has ended")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_a_finished_run_is_deleted_after_a_question_that_names_the_testrun():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.press("D")
        await ui.shows("Delete this run?", "The TestRun object is kept.", kubectl.delete(run))
        await ui.press("right", "enter")
        await ui.shows("was deleted", "The TestRun still exists")
        assert run.id not in ui.api.runs
        await ui.press("escape")
        await ui.shows("2 failed")
        assert run.name not in ui.line("STATUS")
        assert ui.app.store.get(run.id) is None

    drive(scenario, api=FakeApi(make_runs(10)))


def test_an_unfinished_run_is_not_deleted():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(1))
        await ui.press("D")
        await ui.shows("cancel it first")

    drive(scenario, api=FakeApi(make_runs(6)))
