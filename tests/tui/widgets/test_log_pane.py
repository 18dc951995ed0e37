from sparktest.domain import Failure, FailureClass
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import FakeApi, make_run
from tests.tui.screens.opening import log_of, opened


def test_t_shows_the_log_of_the_next_container(tmp_path, monkeypatch):
    failure = Failure(class_=FailureClass.TEST, reason="Error", exit_code=1, message="exit code 1")
    run = make_run(2, containers=("unit", "setup"), failure=failure)
    monkeypatch.chdir(tmp_path)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("unit (1 of 2, t: next)", "assert 1 == 2", "2 lines")
        await ui.press("t")
        await ui.shows("setup (2 of 2, t: next)", "prepared", "1 line")
        assert "tested" not in ui.screen()
        # The failure still quotes the test.
        await ui.shows("last line of the log: assert 1 == 2")
        await ui.press("S")
        await ui.shows("Saved the log to")
        await ui.press("t")
        await ui.shows("unit (1 of 2", "tested", "2 lines")
        assert "prepared" not in ui.screen()

    api = FakeApi([run], log_of(run, "tested\nassert 1 == 2\n"))
    api.container_logs[run.id, "setup"] = b"prepared\n"
    drive(scenario, api=api)
    assert [path.name for path in tmp_path.iterdir()] == [f"{run.job_name}-setup.log"]


def test_t_changes_nothing_when_the_run_has_one_container():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.press("t")
        await ui.shows("tested", "1 line")
        assert "t: next" not in ui.screen()

    drive(scenario, api=FakeApi([run], log_of(run, "tested\n")))
