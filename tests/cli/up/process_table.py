"""Read the table of running processes."""

import subprocess
from typing import NamedTuple

from tests.requirements import require_program


class Process(NamedTuple):
    """A row of the process table; `args`: its command line."""

    pid: int
    parent: int
    args: str


def processes() -> list[Process]:
    """Return all processes except zombies."""
    columns = [word for name in ("pid", "ppid", "stat", "args") for word in ("-o", f"{name}=")]
    answer = subprocess.run(
        [require_program("ps"), "-A", *columns], capture_output=True, text=True, check=True
    )
    rows = [line.split(maxsplit=3) for line in answer.stdout.splitlines()]
    return [
        Process(int(pid), int(parent), "".join(args))
        for pid, parent, stat, *args in rows
        if not stat.startswith("Z")
    ]


def alive(pid: int) -> bool:
    """Return True when the process is running; a zombie is not."""
    return any(process.pid == pid for process in processes())


def children_of(pid: int) -> list[int]:
    """Return the process ids of its children."""
    return [process.pid for process in processes() if process.parent == pid]
