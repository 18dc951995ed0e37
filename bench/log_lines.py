"""Read a log of short lines, each an HTTP chunk of its own: `python -m bench.log_lines`.

The kubelet sends logs like this. Prints the CPU time of reading it as the controller does, once
with urllib3's own stream() and once with read_body(), from a server in another process.
Exits 1 if the latter takes more than half of the former.
"""

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

import urllib3

from sparktest.controller.logs.cursor import LogCursor
from sparktest.kube.streams import read_body

LINES = 400_000
ROUNDS = 3
MOST = 0.5
LINE = b"2026-11-24T12:00:00.123456789Z %07d\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"

Read = Callable[[urllib3.BaseHTTPResponse], Iterator[bytes]]


def main() -> int:
    """Print the table and return the exit code."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.log_lines", "serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/"
        pairs = [(seconds(url, theirs), seconds(url, read_body)) for _ in range(ROUNDS)]
    finally:
        server.kill()
        server.wait()
    first, second = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = second / first
    print(f"{LINES} lines   urllib3 {first:.2f} s   sparktest {second:.2f} s   ratio {ratio:.2f}")
    return 0 if ratio <= MOST else 1


def theirs(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Read the body with urllib3's stream()."""
    return iter(response.stream(2**16))


def seconds(url: str, read: Read) -> float:
    """Return the CPU seconds of reading the whole log."""
    began = time.process_time()
    with urllib3.PoolManager() as pool:
        response = pool.request("GET", url, preload_content=False)
        cursor = LogCursor()
        size = sum(len(cursor.feed(chunk)) for chunk in read(response))
        response.close()
    took = time.process_time() - began
    if size != LINES * len(b"0000000\n"):
        raise SystemExit(f"{size} bytes came")
    return took


def serve() -> NoReturn:
    """Answer every request with the log, on a port that is printed."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(LINE % 0), LINE % at) for at in range(LINES))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.recv(2**16)
                connection.sendall(HEAD + chunks + b"0\r\n\r\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    sys.exit(main())
