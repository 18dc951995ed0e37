"""Copy text to the clipboard by the methods that the terminal supports.

Terminals do not confirm an OSC 52 sequence, so it is sent only to those that support it. tmux
drops it by default, but has a command of its own. Where no method works, the caller shows the
text.
"""

import subprocess
from collections.abc import Callable, Mapping
from typing import NamedTuple

# xterm and others drop a longer sequence; the limit counts base64 characters.
MAX_OSC52_BYTES = 74_994 * 3 // 4
# wl-copy hangs where the compositor does not answer.
TIMEOUT_SECONDS = 2.0
TMUX = ("tmux", "load-buffer", "-w", "-")
WITHOUT_OSC52 = ("dumb", "linux", "vt100", "vt220", "screen", "tmux")


class ClipboardMethods(NamedTuple):
    """Programs that copy their standard input, and True when to send an OSC 52 sequence."""

    programs: tuple[tuple[str, ...], ...]
    osc52: bool


def methods_for(environ: Mapping[str, str], size: int) -> ClipboardMethods:
    """Return how to copy a text of `size` bytes from a terminal with this environment."""
    if environ.get("TMUX"):
        return ClipboardMethods((TMUX, *_desktop(environ)), osc52=False)
    term = environ.get("TERM", "")
    # TERM begins with screen or tmux also where ssh did not forward $TMUX or $STY.
    supported = term != "" and not term.startswith(WITHOUT_OSC52)
    # GNU screen and the terminals of GNOME ignore OSC 52.
    supported = supported and not environ.get("STY") and not environ.get("VTE_VERSION")
    return ClipboardMethods(_desktop(environ), osc52=supported and size <= MAX_OSC52_BYTES)


def pipe(command: tuple[str, ...], text: str) -> bool:
    """Send the text to a program and return whether it accepted it."""
    try:
        # xclip leaves a child behind that would keep an output pipe open for ever.
        subprocess.run(  # noqa: S603 - a fixed command, the text only on its standard input
            command,
            input=text.encode(),
            timeout=TIMEOUT_SECONDS,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def copy(
    methods: ClipboardMethods, text: str, pipe: Callable[[tuple[str, ...], str], bool] = pipe
) -> list[str]:
    """Run the programs until one accepts the text, and return the methods that worked.

    OSC 52, which the app sends itself, counts as one that worked.
    """
    accepted = ["the terminal (OSC 52)"] if methods.osc52 else []
    for command in methods.programs:
        if pipe(command, text):
            return [*accepted, command[0]]
    return accepted


def _desktop(environ: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    # Over SSH the user's desktop is on another machine.
    if environ.get("SSH_TTY") or environ.get("SSH_CONNECTION"):
        return ()
    if environ.get("WAYLAND_DISPLAY"):
        return (("wl-copy",), ("xclip", "-selection", "clipboard"))
    if environ.get("DISPLAY"):
        return (("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input"))
    return (("pbcopy",),) if environ.get("TERM_PROGRAM") == "Apple_Terminal" else ()
