"""The clipboard: the ways that this terminal has, and whether one of them took the text.

A terminal never says whether it took an OSC 52; tmux as it is installed drops it, and takes the
text from its own program instead. So programs that answer are asked first, and where there is
neither a program nor a terminal known to take it, the caller shows the text.
"""

import subprocess
from collections.abc import Callable, Mapping
from typing import NamedTuple

# xterm and others drop what is longer than this in base64.
MAX_OSC52_BYTES = 74_994 * 3 // 4
# wl-copy hangs where the compositor does not answer.
PATIENCE_SECONDS = 2.0
TMUX = ("tmux", "load-buffer", "-w", "-")
WITHOUT_OSC52 = ("dumb", "linux", "vt100", "vt220")


class Ways(NamedTuple):
    """How to copy here: programs that read the text, and whether the terminal may be told."""

    programs: tuple[tuple[str, ...], ...]
    osc52: bool


def ways(environ: Mapping[str, str], size: int) -> Ways:
    """The ways to copy a text of `size` bytes from a terminal with this environment."""
    if environ.get("TMUX"):
        return Ways((TMUX, *_native(environ)), osc52=False)
    taken = environ.get("TERM", "") not in ("", *WITHOUT_OSC52) and not environ.get("STY")
    return Ways(_native(environ), osc52=taken and size <= MAX_OSC52_BYTES)


def pipe(command: tuple[str, ...], text: str) -> bool:
    """Whether the program took the text."""
    try:
        # No pipe for its output: xclip leaves a child that would keep it open for ever.
        subprocess.run(  # noqa: S603 - a fixed command, the text only on its standard input
            command,
            input=text.encode(),
            timeout=PATIENCE_SECONDS,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def copy(found: Ways, text: str, pipe: Callable[[tuple[str, ...], str], bool] = pipe) -> list[str]:
    """The ways that took the text, by name; the first program that does is enough."""
    took = ["the terminal (OSC 52)"] if found.osc52 else []
    for command in found.programs:
        if pipe(command, text):
            return [*took, command[0]]
    return took


def _native(environ: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """The programs of the desktop in front of the person; over SSH that is another machine."""
    if environ.get("SSH_TTY") or environ.get("SSH_CONNECTION"):
        return ()
    if environ.get("WAYLAND_DISPLAY"):
        return (("wl-copy",), ("xclip", "-selection", "clipboard"))
    if environ.get("DISPLAY"):
        return (("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input"))
    return (("pbcopy",),) if environ.get("TERM_PROGRAM") == "Apple_Terminal" else ()
