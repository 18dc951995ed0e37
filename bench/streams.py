"""Cost of open streams of a running API: `python -m bench.streams [DATABASE_URL]`.

Open 250 streams of events and 250 followers of logs, and print: what they add to the memory of the
API and the CPU that it takes while nothing happens; then the time from the response to a change
until each of 500 streams of events has it. Exit with 1 if the idle streams take more than 40 MiB or
more than 5 % of a core.
"""

import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import requests

from bench.processes import children, cpu_seconds

STREAMS = 500
WARM_UP = 20
IDLE_SECONDS = 20.0
CHANGES = 20
MAX_MEBIBYTES = 40.0
MAX_SHARE = 0.05
ADDRESS = "SparkTest API at "


def main() -> int:
    """Print the figures and return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/streams.db"
        command = [sys.executable, "-m", "sparktest", "api", "--port", "0", "--database-url", url]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
            try:
                assert process.stdout is not None
                address = process.stdout.readline().removeprefix(ADDRESS).strip()
                return 0 if measure(process.pid, address) else 1
            finally:
                process.send_signal(signal.SIGTERM)


def measure(master: int, address: str) -> bool:
    """Print the figures and return whether they are as wanted."""
    run = create(address)
    follow = f"/api/test-runs/{run}/logs?follow=true"
    # What the first streams load and start is no cost of the others.
    for path in ("/api/test-runs/events", follow) * WARM_UP:
        stream(address, path).close()
    time.sleep(2)
    before = memory(master)
    events = [stream(address, "/api/test-runs/events") for _ in range(STREAMS // 2)]
    followers = [stream(address, follow) for _ in range(STREAMS // 2)]
    time.sleep(2)
    used, started = cpu_seconds(master), time.monotonic()
    time.sleep(IDLE_SECONDS)
    share = (cpu_seconds(master) - used) / (time.monotonic() - started)
    added = (memory(master) - before) / 2**20
    print(f"{STREAMS} idle streams: {added:.1f} MiB, {share:.2%} of a core")
    for follower in followers:
        follower.close()
    events += [stream(address, "/api/test-runs/events") for _ in followers]
    arrivals = sorted(time for _ in range(CHANGES) for time in change(address, events))
    p50, p99 = statistics.median(arrivals), arrivals[int(len(arrivals) * 0.99)]
    print(f"a change reaches {STREAMS} streams: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")
    return added <= MAX_MEBIBYTES and share <= MAX_SHARE


def create(address: str) -> str:
    """Create a run and return its id."""
    body = {"name": "bench", "image": "busybox", "commands": ["true"]}
    response = requests.post(f"{address}/api/test-runs", json=body, timeout=10)
    response.raise_for_status()
    return str(response.json()["id"])


def stream(address: str, path: str) -> socket.socket:
    """Open a stream and return its socket once the head has arrived."""
    parts = urlsplit(address)
    client = socket.create_connection((parts.hostname, parts.port or 80))
    accept = "Accept: text/event-stream\r\n"
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n".encode())
    received = b""
    while b"\nid: " not in received:
        data = client.recv(65536)
        if not data or received.startswith(b"HTTP/1.1 503"):
            raise SystemExit(f"the stream was refused: {received[:300]!r}")
        received += data
    return client


def change(address: str, streams: Iterable[socket.socket]) -> list[float]:
    """Create a run; return how long after the response each stream has it."""
    with selectors.DefaultSelector() as selector:
        waiting = {}
        for client in streams:
            selector.register(client, selectors.EVENT_READ)
            waiting[client] = b""
        run = create(address).encode()
        committed = time.monotonic()
        arrivals = []
        while waiting:
            for key, _ in selector.select(10):
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                waiting[ready] += ready.recv(65536)
                if run in waiting[ready] and waiting[ready].endswith(b"\n\n\r\n"):
                    arrivals.append(max(0.0, time.monotonic() - committed))
                    selector.unregister(ready)
                    del waiting[ready]
        return arrivals


def memory(master: int) -> int:
    """Return the resident memory in bytes that the processes do not share with others."""
    total = 0
    for process in (master, *children(master)):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


if __name__ == "__main__":
    sys.exit(main())
