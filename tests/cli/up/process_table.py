"""Look at running processes, and wait for conditions."""

import subprocess
import time
from collections.abc import Callable, Iterator

from tests.requirements import require_program


def alive(pid: int) -> bool:
    """Return True when the process is running; a zombie is not."""
    return any(found == pid and not state.startswith("Z") for found, _, state in _table())


def children_of(pid: int) -> list[int]:
    """Return the process ids of its children."""
    return [found for found, parent, _ in _table() if parent == pid]


def _table() -> Iterator[tuple[int, int, str]]:
    columns = [require_program("ps"), "-A", "-o", "pid=", "-o", "ppid=", "-o", "stat="]
    answer = subprocess.run(columns, capture_output=True, text=True, check=True)
    for line in answer.stdout.splitlines():
        pid, parent, state = line.split()
        yield int(pid), int(parent), state


def until(what: str, check: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until the check is true; fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
