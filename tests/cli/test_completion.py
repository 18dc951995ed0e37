"""Completions, and completion as shells do it: bash and fish directly, zsh in a terminal."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.cli import program
from sparktest.cli.completion import SAFE, completions, help_text
from sparktest.client import ApiClient
from sparktest.domain import Origin, Run, RunReport, Status
from tests.cli.conftest import Cli
from tests.e2e.tmux import Tmux
from tests.requirements import require_program
from tests.scripted_api import answer, problem, scripted_api

BIN = Path(sys.executable).parent
BASH = """
eval "$(sparktest completion bash)"
COMP_WORDS=({words} "{incomplete}")
COMP_CWORD={at}
COMPREPLY=()
_sparktest_completion sparktest 2>&1
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put the sparktest of this environment on the PATH."""
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def hostile(api: ApiClient, tmp_path: Path) -> ApiClient:
    """An API with a run of a good name and one whose name is a command; no id begins so."""
    api.create_run({"name": "shop-smoke", "image": "i"})
    api.create_run({"name": f"shop$(touch {tmp_path}/pwned)", "image": "i"})
    return api


def shell(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert answer.stderr == ""
    return answer.stdout


def bash(*words: str, incomplete: str = "") -> list[str]:
    script = BASH.format(words=shlex.join(words), incomplete=incomplete, at=len(words))
    return shell(require_program("bash"), "--norc", "-c", script).split()


def fish(line: str) -> list[str]:
    script = f"sparktest completion fish | source; complete -C {shlex.quote(line)}"
    return shell(require_program("fish"), "--no-config", "-c", script).splitlines()


def test_completion_scripts_end_with_how_to_install_them(cli: Cli) -> None:
    for name, file in (("bash", "bashrc"), ("zsh", "zshrc"), ("fish", "config/fish")):
        result = cli("completion", name)

        assert (result.code, result.err) == (0, "")
        assert "_SPARKTEST_COMPLETE" in result.out
        assert file in result.out.splitlines()[-1]
    assert cli("completion", "zsh").out.startswith("#compdef sparktest\n")
    assert cli("completion", "tcsh").code == 2


def test_bash_completes_commands_options_words_and_names(hostile: ApiClient) -> None:
    assert bash("sparktest", incomplete="ru") == ["run", "runs"]
    assert bash("sparktest", "runs", "--status", incomplete="t") == ["timed_out"]
    run = hostile.list_runs().runs[0]
    assert bash("sparktest", "logs") == ["shop-smoke", run.id]
    assert bash("sparktest", "logs", incomplete="shop") == ["shop-smoke"]
    assert bash("sparktest", "definitions", incomplete="up") == ["update"]


def test_the_containers_of_the_run_are_completed(hostile: ApiClient) -> None:
    assert bash("sparktest", "logs", "shop-smoke", "-c") == ["test"]
    assert bash("sparktest", "logs", "-c", incomplete="t") == []


def test_fish_completes_with_a_help_text(hostile: ApiClient) -> None:
    assert fish("sparktest logs sho") == ["shop-smoke\tpending"]
    run = hostile.list_runs().runs[0]
    (line,) = fish(f"sparktest show {run.id[:6]}")
    assert line.startswith(f"{run.id}\tshop??touch /")


def test_without_an_api_completion_prints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKTEST_BACKEND_URL", "http://127.0.0.1:9")

    assert bash("sparktest", "logs") == []
    assert fish("sparktest logs x") == []


def test_an_invalid_completion_instruction_prints_nothing() -> None:
    environ = os.environ | {"_SPARKTEST_COMPLETE": "nonsense"}
    answer = subprocess.run(
        [str(BIN / "sparktest")], env=environ, capture_output=True, text=True, check=False
    )

    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", "")


@pytest.fixture
def zsh(hostile: ApiClient, tmp_path: Path) -> Iterator[Tmux]:
    """Start a terminal with zsh and its completion."""
    require_program("zsh")
    rc = 'autoload -Uz compinit; compinit -u; PS1="ready> "; eval "$(sparktest completion zsh)"\n'
    (tmp_path / ".zshrc").write_text(rc)
    terminal = Tmux(tmp_path / "tmux", ["zsh", "-i"], dict(os.environ))
    terminal.start(120, 30)
    try:
        yield terminal
    finally:
        terminal.stop()


@pytest.mark.e2e
def test_zsh_completes_in_a_terminal(zsh: Tmux, tmp_path: Path) -> None:
    zsh.shows("a prompt", lambda screen: "ready>" in screen)
    zsh.text("sparktest logs sho")
    zsh.type("Tab")
    zsh.shows("the name", lambda screen: "sparktest logs shop-smoke" in screen)
    zsh.type("C-u")
    zsh.text("sparktest logs ")
    zsh.type("Tab")
    screen = zsh.shows("both", lambda screen: "shop??touch" in screen)

    assert "pending" in screen
    assert not (tmp_path / "pwned").exists()


# --- completions that ask the API -----------------------------------------------------------------


def named(run_id: str, name: str) -> Run:
    return Run(
        id=run_id,
        name=name,
        status=Status.PENDING,
        origin=Origin.API,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


def values(incomplete: str, *runs: Run) -> list[str]:
    return [item.value for item in completions([(run, "about") for run in runs], incomplete)]


def command_named(name: str) -> click.Command:
    command = program.get_command(click.Context(program), name)
    assert command is not None
    return command


def completed(*args: str, incomplete: str = "") -> list[str]:
    """Return the completions after these words."""
    context = program.make_context("sparktest", list(args), resilient_parsing=True)
    command: click.Command = program
    words = list(args)
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None
        command = found
        context = command.make_context(
            command.name, list(words), parent=context, resilient_parsing=True
        )
    argument = next(each for each in command.params if isinstance(each, click.Argument))
    return [item.value for item in argument.shell_complete(context, incomplete)]


def test_a_unique_name_is_completed_and_otherwise_the_id() -> None:
    runs = [named("aa11", "smoke"), named("bb22", "twice"), named("bc33", "twice")]

    assert values("", *runs) == ["smoke", "bb22", "bc33"]
    assert values("s", *runs) == ["smoke"]
    assert values("b", *runs) == ["bb22", "bc33"]
    assert values("aa", *runs) == ["aa11"]
    assert values("x", *runs) == []


def test_short_id_prefixes_do_not_hide_a_name() -> None:
    runs = [named("face1234", "other"), named("aa11", "failing")]

    assert values("fa", *runs) == ["failing"]
    assert values("fac", *runs) == ["face1234"]
    assert values("face", *runs, named("bb22", "facet")) == ["facet", "face1234"]


HOSTILE = [
    "$(touch pwned)",
    "`id`",
    "a;b",
    "a b",
    "a|b",
    "a&b",
    "a>b",
    "*",
    "~",
    "-rf",
    "a\nb",
    "a\tb",
    "'",
    '"',
    "a\\b",
    "#a",
    "!x",
    "{a,b}",
    "a,b",
    "a:b",
    "\x1b[31m",
    "naïve",
    "",
    "\u202eabc",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_a_shell_could_expand_is_never_completed(name: str) -> None:
    assert values("", named("aa11", name)) == ["aa11"]


@given(st.text())
def test_a_completion_is_one_shell_word(name: str) -> None:
    for value in values("", named("aa11", name)):
        assert shlex.split(value) == [value] == [shlex.quote(value)]
        assert SAFE.fullmatch(value)


@given(st.text())
def test_a_help_text_is_one_short_line_without_special_characters(text: str) -> None:
    shown = help_text(text, "x")

    assert len(shown) <= 60
    assert not set(shown) & set("\n\t\r,:$`\\\"'%*[](){}|;&<>~#!\x1b")


def test_each_command_completes_what_it_accepts(api: ApiClient) -> None:
    api.definitions.create({"name": "suite-a", "image": "i"})
    for name, status in (("done", Status.SUCCEEDED), ("busy", Status.RUNNING)):
        run = api.create_run({"name": name, "image": "i"})
        api.report_run(run.id, RunReport(status=status))

    assert completed("logs") == ["busy", "done"]
    assert completed("cancel") == ["busy"]
    assert completed("delete") == ["done"]
    assert completed("run") == completed("definitions", "edit") == ["suite-a"]
    assert completed("show", "busy", incomplete="do") == ["done"]
    assert completed("show", "busy") == ["done"]


def test_namespaces_and_labels_come_from_the_runs(api: ApiClient) -> None:
    api.create_run({"name": "a", "image": "i", "labels": {"team": "x", "day": "$(id)"}})
    runs = command_named("runs")
    context = runs.make_context("runs", [], resilient_parsing=True)
    options = {option.name: option for option in runs.params}

    def offered(name: str) -> list[str]:
        return [item.value for item in options[name].shell_complete(context, "")]

    assert offered("namespace") == ["tests"]
    assert offered("label") == ["day", "team"]
    assert offered("status")[:2] == ["pending", "running"]


def test_an_api_that_is_down_or_denies_access_gives_no_completions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with scripted_api() as scripted:
        monkeypatch.setenv("SPARKTEST_BACKEND_URL", scripted.url)
        scripted.scripts = [problem(401, detail="no token"), answer({"not": "a list"})]
        assert completed("logs") == []
        assert completed("logs") == []
    assert completed("logs") == []
    monkeypatch.setenv("SPARKTEST_PORT", "no port")
    assert completed("logs") == []


def test_completions_contain_no_escape_sequences() -> None:
    run = {
        "id": "17",
        "name": "\x1b]0;pwned\x07x",
        "status": "running",
        "origin": "api",
        "createdAt": "2026-01-02T03:04:05Z",
    }
    with scripted_api() as scripted:
        scripted.scripts = [answer([run])]
        context = command_named("logs").make_context(
            "logs", ["--backend-url", scripted.url], resilient_parsing=True
        )
        argument = next(p for p in command_named("logs").params if p.name == "reference")
        (item,) = argument.shell_complete(context, "")

    assert json.dumps(item.value) == '"x"'
