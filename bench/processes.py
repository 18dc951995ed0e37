"""Processes that a benchmark or a test starts: their workers, their CPU time, a port for them."""

import os
import socket
from pathlib import Path


def children(pid: int) -> list[int]:
    """Return the ids of the child processes; of a server's master, those that serve."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of its children."""
    ticks = 0
    for process in (pid, *children(pid)):
        # After the name, which may contain spaces: state, parent, group, …, utime, stime.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
