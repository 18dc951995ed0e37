import stat
from collections.abc import Iterator
from threading import Event

import pytest
from textual.widgets import Button

from sparktest import kubectl
from sparktest.domain import Failure, FailureClass, Log, LogState, Run, Status
from sparktest.errors import ConflictError, UnavailableError
from sparktest.tui.screens.copy_menu import TextScreen, choices
from sparktest.tui.screens.dialog import Dialog
from sparktest.tui.screens.run import RunScreen
from sparktest.tui.widgets import log_pane
from sparktest.tui.widgets.log_view import LogView
from sparktest.tui.widgets.static import CachedStatic
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import CLUSTER, FakeApi, changed, make_run, make_runs

XTERM = {"TERM": "xterm-256color"}


async def opened(ui: AppPilot, run: Run) -> None:
    """Open the screen of this run from the list."""
    await ui.wait_for(lambda: ui.app.store.get(run.id))
    ui.app.store.move_to(ui.app.store.row_of((-run.created_at.timestamp(), run.id)))
    await ui.press("enter")
    await ui.shows(f"› runs › {run.name}")


def log_of(run: Run, text: str) -> dict[str, list[bytes]]:
    return {run.id: [text.encode()]}


# --- fields and source -------------------------------------------------------------------------


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


# --- copying -----------------------------------------------------------------------------------


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


# --- cancel and delete -------------------------------------------------------------------------


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


# --- the log -----------------------------------------------------------------------------------


def view(ui: AppPilot) -> LogView:
    return ui.app.screen.query_one(LogView)


def test_the_log_is_followed_while_the_run_is_active():
    run, more = make_run(1), Event()

    def rest(run_id: str) -> Iterator[bytes]:
        yield b"10 %\r20 %"
        more.wait(10)
        yield "\r100 % ä".encode()[:-1] + b"\xa4"[:0]
        yield "ä".encode()[1:] + b"\nlast\n"

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("first", "20 %", "2 lines", "following")
        assert "10 %" not in ui.screen()
        more.set()
        await ui.shows("100 % ä", "last", "3 lines")
        assert "20 %" not in ui.screen()

    api = FakeApi(make_runs(6), {run.id: [b"first\n"]})
    api.more = rest
    drive(scenario, api=api)


def test_the_last_line_stays_visible_until_the_user_scrolls_up():
    run = make_run(1)
    lines = "".join(f"line {number}\n" for number in range(500))

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("line 499")
        await ui.press("k")
        assert not view(ui).following
        view(ui).append("more\n", "")
        await ui.pilot.pause()
        assert "more" not in ui.screen()
        await ui.press("G")
        await ui.shows("more")
        assert view(ui).following
        await ui.press("g")
        await ui.shows("line 0")

    drive(scenario, api=FakeApi(make_runs(6), log_of(run, lines)))


def test_the_last_line_is_visible_when_a_long_line_makes_a_scrollbar_appear():
    run, ready = make_run(3), Event()

    def lines(run_id: str) -> Iterator[bytes]:
        ready.wait(10)
        yield b"".join(b"line %d\n" % number for number in range(30))
        yield b"x" * 300 + b"\nthe last line\n"

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.wait_for(lambda: view(ui).size.height > 0)
        assert not view(ui).show_horizontal_scrollbar
        ready.set()
        await ui.shows("the last line")
        await ui.wait_for(lambda: view(ui).show_horizontal_scrollbar)
        await ui.shows("the last line")

    api = FakeApi(make_runs(6))
    api.more = lines
    drive(scenario, api=api)


def test_a_search_counts_its_matches_and_wraps_around():
    run = make_run(3)
    lines = "".join(f"step {n} {'FAIL' if n % 50 == 7 else 'ok'}\n" for n in range(200))

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("step 199")
        await ui.press("g", "slash", *"fail", "enter")
        await ui.shows("“fail” 1 of 4", "step 7 FAIL")
        seen = []
        for key in ("n", "n", "n", "n", "N"):
            await ui.press(key)
            seen.append(view(ui).match)
        assert seen == [1, 2, 3, 0, 3]
        await ui.shows("“fail” 4 of 4", "step 157 FAIL")
        await ui.press("slash", *["backspace"] * 4, *"zzz", "enter")
        await ui.shows("“zzz” 0 of 0")

    drive(scenario, api=FakeApi(make_runs(6), log_of(run, lines)))


def test_the_footer_shows_only_the_keys_of_the_log_search_while_it_is_open():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(3))
        await ui.press("slash", *"l/?")
        await ui.wait_for(lambda: ui.footer() == "⏎ find esc close", "the keys of the search")
        await ui.press("escape")
        await ui.shows("/ find", "esc back")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_escape_closes_the_search_before_the_details():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(3))
        await ui.press("slash", *"q")
        await ui.press("escape")
        await ui.shows("› runs ›")
        await ui.press("escape")
        await ui.shows("STATUS")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_the_end_of_a_long_line_is_reached_by_scrolling_or_wrapping():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("start")
        assert "the end" not in ui.screen()
        await ui.press("w")
        await ui.shows("wrapped", "the end")
        await ui.press("w", *["right"] * 20)
        await ui.shows("the end")

    drive(scenario, api=FakeApi(make_runs(6), log_of(run, f"start {'x' * 150} the end\n")))


def test_l_hides_and_shows_the_details():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(3))
        await ui.shows("Definition")
        await ui.press("l")
        await ui.wait_for(lambda: "Definition" not in ui.screen())
        await ui.press("l")
        await ui.shows("Definition")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_a_saved_log_is_complete_and_readable_only_by_its_owner(tmp_path, monkeypatch):
    run = make_run(3)
    monkeypatch.chdir(tmp_path)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("two")
        await ui.press("S")
        await ui.shows("Saved the log to")
        await ui.press("S")
        await ui.wait_for(lambda: len(list(tmp_path.iterdir())) == 2)

    drive(scenario, api=FakeApi(make_runs(6), log_of(run, "\x1b[1mone\x1b[0m\ntwo")))
    saved = sorted(tmp_path.iterdir())
    assert [path.name for path in saved] == [f"{run.job_name}-1.log", f"{run.job_name}.log"]
    assert all(path.read_text() == "one\ntwo" for path in saved)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in saved)


def test_saving_a_log_reports_why_it_failed(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(3))
        folder.rmdir()
        await ui.press("S")
        await ui.shows("No such file or directory")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_an_interrupted_log_resumes_where_it_stopped(monkeypatch):
    run, breaks = make_run(1), iter([True, False])
    monkeypatch.setattr(log_pane, "RETRY_SECONDS", 0.01)

    def rest(run_id: str) -> Iterator[bytes]:
        yield b"one\ntwo\n"
        if next(breaks):
            raise UnavailableError("the connection was cut")
        yield b"three\n"
        Event().wait(0.5)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("three", "3 lines")
        assert view(ui).log_lines.text() == "one\ntwo\nthree\n"

    api = FakeApi(make_runs(6))
    api.more = rest
    drive(scenario, api=api)


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


def test_a_log_that_was_not_stored_shows_the_reason():
    run = make_run(3, log=Log(state=LogState.NONE, reason="NodeLost"))

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        screen = await ui.shows("No log was stored: NodeLost")
        assert screen.count("NodeLost") == 1

    drive(scenario, api=FakeApi([run]))
