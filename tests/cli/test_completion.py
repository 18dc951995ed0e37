"""Completion as shells do it: bash and fish ask here, zsh in a terminal."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.client import ApiClient
from tests.cli.conftest import Cli
from tests.e2e.tmux import Tmux
from tests.need import need_program

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
    """The sparktest of this environment is the one that shells find."""
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
    return shell(need_program("bash"), "--norc", "-c", script).split()


def fish(line: str) -> list[str]:
    script = f"sparktest completion fish | source; complete -C {shlex.quote(line)}"
    return shell(need_program("fish"), "--no-config", "-c", script).splitlines()


def test_the_scripts_say_how_to_keep_them(cli: Cli) -> None:
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


def test_fish_completes_with_a_word_about_each(hostile: ApiClient) -> None:
    assert fish("sparktest logs sho") == ["shop-smoke\tpending"]
    run = hostile.list_runs().runs[0]
    (line,) = fish(f"sparktest show {run.id[:6]}")
    assert line.startswith(f"{run.id}\tshop??touch /")


def test_without_an_api_a_shell_hears_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKTEST_BACKEND_URL", "http://127.0.0.1:9")

    assert bash("sparktest", "logs") == []
    assert fish("sparktest logs x") == []


def test_an_instruction_that_is_none_says_nothing() -> None:
    environ = os.environ | {"_SPARKTEST_COMPLETE": "nonsense"}
    answer = subprocess.run(
        [str(BIN / "sparktest")], env=environ, capture_output=True, text=True, check=False
    )

    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", "")


@pytest.fixture
def zsh(hostile: ApiClient, tmp_path: Path) -> Iterator[Tmux]:
    """A terminal with zsh and its completion."""
    need_program("zsh")
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
