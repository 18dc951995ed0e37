"""A terminal that a test types into and reads: tmux with its own server."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.e2e.program import until
from tests.requirements import require_program


class Tmux:
    """A window that runs one command."""

    def __init__(self, socket: Path, command: list[str], environ: dict[str, str]) -> None:
        self._tmux = [require_program("tmux"), "-S", str(socket), "-f", "/dev/null"]
        self._command = shlex.join(command)
        self._environ = environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}

    def start(self, width: int, height: int) -> None:
        """Open the window; it stays open after the command has exited."""
        size = ["-x", str(width), "-y", str(height)]
        shell = f"{self._command}; echo EXIT $?; sleep 600"
        self._run("new-session", "-d", *size, shell)

    def type(self, *keys: str) -> None:
        """Send keys by their tmux names, such as Enter, Escape, j."""
        self._run("send-keys", *keys)

    def text(self, text: str) -> None:
        """Send characters literally."""
        self._run("send-keys", "-l", text)

    def screen(self) -> str:
        """Return the contents of the window, one line per row."""
        return self._run("capture-pane", "-p")

    def clipboard(self) -> str:
        """Return the last copied text, or ""."""
        answer = subprocess.run(
            [*self._tmux, "show-buffer"], capture_output=True, text=True, check=False
        )
        return answer.stdout

    def shows(self, what: str, check: Callable[[str], bool], seconds: float = 60.0) -> str:
        """Wait until the screen passes the check and return it."""

        def passed() -> str:
            screen = self.screen()
            return screen if check(screen) else ""

        try:
            return until(what, passed, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None

    def stop(self) -> None:
        """Close the window and kill its processes."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)

    def _run(self, *args: str) -> str:
        answer = subprocess.run(
            [*self._tmux, *args], env=self._environ, capture_output=True, text=True, check=True
        )
        return answer.stdout
