import os
import stat
import time

import pytest

from sparktest.tui import clipboard
from sparktest.tui.clipboard import MAX_OSC52_BYTES, TMUX, copy, methods_for, pipe

XTERM = {"TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("environ", "programs", "osc52"),
    [
        (XTERM, [], True),
        (XTERM | {"TMUX": "/tmp/tmux-0/default,1,0"}, ["tmux"], False),
        (XTERM | {"DISPLAY": ":0"}, ["xclip", "xsel"], True),
        (XTERM | {"WAYLAND_DISPLAY": "wayland-0"}, ["wl-copy", "xclip"], True),
        (XTERM | {"DISPLAY": ":10", "SSH_TTY": "/dev/pts/1"}, [], True),
        (XTERM | {"TERM_PROGRAM": "Apple_Terminal"}, ["pbcopy"], True),
        (XTERM | {"STY": "1.pts"}, [], False),
        (XTERM | {"VTE_VERSION": "7600"}, [], False),
        ({"TERM": "screen-256color"}, [], False),
        ({"TERM": "tmux-256color"}, [], False),
        ({"TERM": "linux"}, [], False),
        ({}, [], False),
    ],
)
def test_the_methods_are_those_that_the_terminal_supports(environ, programs, osc52):
    found = methods_for(environ, 10)
    assert [command[0] for command in found.programs] == programs
    assert found.osc52 is osc52


def test_a_text_too_long_for_osc_52_is_not_sent():
    assert methods_for(XTERM, MAX_OSC52_BYTES).osc52
    assert not methods_for(XTERM, MAX_OSC52_BYTES + 1).osc52


def test_the_first_program_that_accepts_the_text_is_enough():
    asked = []

    def second_works(command, text):
        asked.append((command[0], text))
        return len(asked) == 2

    found = clipboard.ClipboardMethods((("one",), ("two",), ("three",)), osc52=True)
    assert copy(found, "text", second_works) == ["the terminal (OSC 52)", "two"]
    assert asked == [("one", "text"), ("two", "text")]


def test_no_method_is_reported_when_none_worked():
    assert (
        copy(clipboard.ClipboardMethods((TMUX,), osc52=False), "text", lambda command, text: False)
        == []
    )


def program(folder, body):
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return (str(path),)


def test_a_program_receives_the_text_unchanged(tmp_path):
    command = program(tmp_path, f"cat > {tmp_path}/got")
    assert pipe(command, "kubectl get 'ä b'\n")
    assert (tmp_path / "got").read_text() == "kubectl get 'ä b'\n"


def test_a_program_that_is_missing_or_fails_does_not_count_as_copied(tmp_path):
    assert not pipe((str(tmp_path / "absent"),), "text")
    assert not pipe(program(tmp_path, "cat > /dev/null; exit 1"), "text")


def test_a_program_that_hangs_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(clipboard, "TIMEOUT_SECONDS", 0.2)
    started = time.monotonic()
    assert not pipe(program(tmp_path, "exec sleep 30"), "text")
    assert time.monotonic() - started < 5


def test_a_child_process_left_behind_does_not_block_the_copy(tmp_path):
    command = program(tmp_path, f"cat > /dev/null; sleep 30 & echo $! > {tmp_path}/pid")
    started = time.monotonic()
    assert pipe(command, "text")
    assert time.monotonic() - started < 5
    os.kill(int((tmp_path / "pid").read_text()), 15)
