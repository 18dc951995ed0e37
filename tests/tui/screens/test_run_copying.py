"""Copying from the screen of a run: commands, ids and the failure."""

import pytest

from sparktest import kubectl
from sparktest.tui.screens.copy_menu import TextScreen, choices
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import CLUSTER, FakeApi, changed, make_run, make_runs
from tests.tui.screens.opening import opened

XTERM = {"TERM": "xterm-256color"}


def test_the_copy_menu_starts_with_kubectl_get():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.press("y")
        await ui.shows("Copy", kubectl.get(run), kubectl.describe(run), run.id)
        await ui.press("enter")
        await ui.shows("Copied get through the terminal (OSC 52)")
        assert ui.app.clipboard == kubectl.get(run)

    drive(scenario, api=FakeApi(make_runs(6)), environ=XTERM)


@pytest.mark.parametrize(
    ("keys", "last"),
    [(["y", "k"], "failure"), (["question_mark", *["j"] * 60], "⊘       cancelled")],
)
def test_a_long_dialog_scrolls_to_its_end_in_a_small_terminal(keys, last):
    long_path = kubectl.Clusters(default=kubectl.Target(kubeconfig=f"/home/{'x' * 60}/kubeconfig"))

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(2))
        await ui.press(*keys)
        await ui.shows("esc close", last)

    drive(scenario, api=FakeApi(make_runs(6)), clusters=long_path)


def test_enter_typed_before_the_menu_is_drawn_copies_the_first_choice():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        ui.type("y", "enter")
        await ui.shows("Copied get")
        assert ui.app.clipboard == kubectl.get(run)
        assert "Copy\n" not in ui.screen()

    drive(scenario, api=FakeApi(make_runs(6)), environ=XTERM)


def test_the_menu_offers_the_commands_the_ids_and_the_failure():
    run = make_run(2)
    prod = kubectl.Target(context="prod")
    offered = choices(run, prod)
    assert offered[:5] == kubectl.commands(run, target=prod)
    assert dict(offered[5:]) == {
        "run id": run.id,
        "name": run.name,
        "job": run.job_name,
        "image": run.image,
        "TestRun": run.name,
        "failure": "Error: the container ended with exit code 3",
    }


def test_commands_for_a_run_of_another_cluster_carry_a_warning():
    run = changed(make_run(3), cluster="11111111-2222-4333-8444-555555555555")
    warning = "! cluster 11111111-2222-4333-8444-555555555555 is not known here"

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows(warning, kubectl.get(run))
        await ui.press("y")
        await ui.shows("copy · esc close", warning)

    drive(scenario, api=FakeApi([run]), size=(170, 50))


def test_commands_name_the_cluster_of_the_run():
    run = make_run(3)
    clusters = kubectl.Clusters({CLUSTER: kubectl.Target(context="staging")})

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        assert "not known" not in ui.screen()
        await ui.press("y", "enter")
        await ui.wait_for(lambda: ui.app.clipboard == f"{kubectl.get(run)} --context staging")
        await ui.press("D")
        await ui.shows("Delete this run?")
        await ui.press("right", "enter")
        await ui.shows("The TestRun still exists", "--context staging")

    drive(scenario, api=FakeApi([run]), environ=XTERM, clusters=clusters, size=(120, 40))


def test_the_highlighted_choice_is_copied():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.press("y", "j", "k", *["j"] * 5, "y")
        await ui.shows("Copied run id")
        assert ui.app.clipboard == run.id

    drive(scenario, api=FakeApi(make_runs(6)), environ=XTERM)


def test_y_copies_the_focused_command():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        # The focus goes from the log to the details, then to the commands.
        await ui.press("tab", "tab", "tab", "y")
        await ui.wait_for(lambda: ui.app.clipboard == kubectl.describe(run))
        await ui.press("tab", "enter")
        await ui.wait_for(lambda: ui.app.clipboard == kubectl.logs(run))

    drive(scenario, api=FakeApi(make_runs(6)), environ=XTERM)


def test_a_command_is_copied_by_a_click():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        rows = ui.screen().splitlines()
        y = next(number for number, row in enumerate(rows) if "kubectl describe" in row)
        await ui.pilot.click(offset=(10, y))
        await ui.wait_for(lambda: ui.app.clipboard == kubectl.describe(run))

    drive(scenario, api=FakeApi(make_runs(6)), environ=XTERM)


def test_the_text_is_shown_where_no_clipboard_accepts_it():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.press("y", "enter")
        await ui.wait_for(lambda: isinstance(ui.app.screen, TextScreen))
        await ui.shows("no clipboard accepted it", kubectl.get(run))
        await ui.press("escape")
        await ui.shows("› runs ›")

    drive(scenario, api=FakeApi(make_runs(6)), environ={"TERM": "dumb"})
