"""The newest page of a million runs through the server, beside `/livez` and a FastAPI application.

Ratios of one run on one machine; the order of the rounds alternates. Another environment may have
the libraries of the extra `bench`: name its Python in BENCH_PYTHON.
"""

import importlib.util
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.processes import cpu_seconds, free_port
from sparktest.api.store.engine import is_sqlite, parse_url

TOKEN = "bench-token-of-32-characters-....."
CONNECTIONS = 4
REQUESTS = 600
ROUNDS = 5
PAGE = "/api/test-runs?limit=50"
MAX_CPU = {"sqlite": 4.0, "postgresql": 5.0}
MIN_FASTAPI_RATE = 2.5


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of requests: their number a second, and the server's CPU seconds for each."""

    rate: float
    cpu: float


def compare(url: str) -> bool:
    """Print the ratios; return True when the goals are met."""
    database = "sqlite" if is_sqlite(parse_url(url)) else "postgresql"
    python = os.environ.get("BENCH_PYTHON", sys.executable)
    with_fastapi = python != sys.executable or importlib.util.find_spec("fastapi") is not None
    own_port, other_port = free_port(), free_port()
    environment = {"SPARKTEST_DATABASE_URL": url, "SPARKTEST_TOKEN": TOKEN}
    own = [sys.executable, "-m", "sparktest", "api", "--port", str(own_port)]
    other = [python, "-m", "uvicorn", "bench.fastapi_list:app", "--port", str(other_port)]
    driver = url.replace("postgresql://", "postgresql+psycopg://")
    with server(own, own_port, environment) as api:
        if not with_fastapi:
            print("FastAPI is not installed: pip install 'sparktest[bench]', or set BENCH_PYTHON")
            return report(rounds([(api, own_port, "/livez"), (api, own_port, PAGE)]), database)
        workers = ["--workers", "1" if database == "sqlite" else "2", "--log-level", "error"]
        with server(
            [*other, *workers], other_port, {"DATABASE_URL": driver, "TOKEN": TOKEN}
        ) as app:
            targets = [(api, own_port, "/livez"), (api, own_port, PAGE), (app, other_port, PAGE)]
            return report(rounds(targets), database)


def report(costs: list[Cost], database: str) -> bool:
    """Print the ratios; return True when the goals are met."""
    live, page, *others = costs
    cpu = page.cpu / live.cpu
    print(f"{database}: server CPU of a page: {page.cpu * 1000:.2f} ms = {cpu:.2f} x /livez")
    good = cpu <= MAX_CPU[database]
    for other in others:
        rate, saved = page.rate / other.rate, other.cpu / page.cpu
        print(f"{database}: requests a second: {rate:.2f} x FastAPI; its CPU: {saved:.2f} x ours")
        good = good and rate >= MIN_FASTAPI_RATE
    return good


def rounds(targets: list[tuple[int, int, str]]) -> list[Cost]:
    """Return the median costs of the targets, each a process, a port and a path."""
    found: list[list[Cost]] = [[] for _ in targets]
    for number in range(ROUNDS + 1):
        for costs, (process, port, path) in zip(found, targets, strict=True):
            measured = cost(process, port, path)
            # The first round warms up.
            costs += [measured] if number else []
    return [
        Cost(
            statistics.median(each.rate for each in costs),
            statistics.median(each.cpu for each in costs),
        )
        for costs in found
    ]


def cost(process: int, port: int, path: str) -> Cost:
    """Return the cost of the path under load."""
    threads = [
        threading.Thread(target=send, args=(port, path, REQUESTS // CONNECTIONS))
        for _ in range(CONNECTIONS)
    ]
    cpu, began = cpu_seconds(process), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    return Cost(REQUESTS / took, (cpu_seconds(process) - cpu) / REQUESTS)


def send(port: int, path: str, count: int) -> None:
    """Send requests over one connection; a client that parses would cost more than the server."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(count):
            connection.sendall(request.encode())
            receive(connection)


def receive(connection: socket.socket) -> None:
    """Read one response; raise SystemExit unless it is 200."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise SystemExit(data[:500].decode())
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    rest = length - len(body)
    while rest > 0:
        rest -= len(connection.recv(262144))


@contextmanager
def server(command: list[str], port: int, environment: dict[str, str]) -> Iterator[int]:
    """Run a server until the block ends; yield its process id."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server accepts connections."""
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"the server ended: {process.args!r}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"the server does not listen: {process.args!r}")
