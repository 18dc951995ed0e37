"""A terminal that a test types into and reads: tmux with a server of its own."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.e2e.program import until
from tests.need import need_program


class Tmux:
    """One window of a given size that runs one command."""

    def __init__(self, socket: Path, command: list[str], environ: dict[str, str]) -> None:
        self._tmux = [need_program("tmux"), "-S", str(socket), "-f", "/dev/null"]
        self._command = shlex.join(command)
        self._environ = environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}

    def start(self, width: int, height: int) -> None:
        """Open the window; it stays readable when the command has ended."""
        size = ["-x", str(width), "-y", str(height)]
        stays = f"{self._command}; echo EXIT $?; sleep 600"
        self._run("new-session", "-d", *size, stays)

    def type(self, *keys: str) -> None:
        """Send keys by their tmux names, such as Enter, Escape, j."""
        self._run("send-keys", *keys)

    def text(self, text: str) -> None:
        """Send characters as they are."""
        self._run("send-keys", "-l", text)

    def screen(self) -> str:
        """What the window shows now, a line a row."""
        return self._run("capture-pane", "-p")

    def clipboard(self) -> str:
        """What was copied last, empty where nothing was."""
        answer = subprocess.run(
            [*self._tmux, "show-buffer"], capture_output=True, text=True, check=False
        )
        return answer.stdout

    def shows(self, what: str, check: Callable[[str], bool], seconds: float = 20.0) -> str:
        """The screen once it passes the check."""

        def passed() -> str:
            screen = self.screen()
            return screen if check(screen) else ""

        try:
            return until(what, passed, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None

    def stop(self) -> None:
        """Close the window and end what runs in it."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)

    def _run(self, *args: str) -> str:
        answer = subprocess.run(
            [*self._tmux, *args], env=self._environ, capture_output=True, text=True, check=True
        )
        return answer.stdout
