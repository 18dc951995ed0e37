"""32 clients that create runs at once, with full durability: `python -m bench.writers`.

Compares the API with itself before group commit (revision BEFORE of the repository), and with a
variant that has group commit left out and is otherwise the same, in turns on SQLite and on
PostgreSQL (SPARKTEST_TEST_POSTGRES_URL; without it, on SQLite alone). Prints the median over the
rounds of p50 and p99 of a `POST /api/test-runs`, and of the runs that were committed per second.
Exits with 1 if a goal is missed: beside BEFORE, p99 at most 1/8 on SQLite and 1/2 on PostgreSQL,
and four times as many runs per second.
"""

import argparse
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from bench.processes import cpu_seconds
from sparktest.api.store.engine import parse_url

CLIENTS = 32
SECONDS = 4.0
WARM_UP_SECONDS = 1.5
ROUNDS = 3
TOKEN = "spt_bench_of-writers"
POSTGRES = "SPARKTEST_TEST_POSTGRES_URL"
P99_GOALS = {"sqlite": 1 / 8, "postgresql": 1 / 2}
RATE_GOAL = 4.0
# The last revision that commits each request by itself.
BEFORE = "61f3b18a821ba740e78d5f7dc0860f0f4846f576"
GROUP, SINGLE = "group commit", "commit per request"
BODY = {"name": "checkout", "image": "busybox:1.35", "commands": ["npm ci", "npm test"]}
SERVE = """
from sparktest.api.server import serve
from sparktest.settings import load
"""
WITHOUT_GROUP_COMMIT = """
from sparktest.api.store import Store

def write(self, work):
    with self.writing() as connection:
        return work(connection)

Store.write = write
"""


@dataclass(frozen=True)
class Result:
    """Latencies and the server's CPU time of a request in milliseconds, and requests per second."""

    p50: float
    p99: float
    rate: float
    cpu: float = 0.0


class Options(argparse.Namespace):
    """What the command line gives."""

    rounds: int
    seconds: float


def main() -> int:
    """Print the table and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args(namespace=Options())
    engines = ["sqlite", "postgresql"] if os.environ.get(POSTGRES) else ["sqlite"]
    here = Path(__file__).parent.parent
    print(f"{'':<31}   p50 ms   p99 ms   CPU ms  per second  ratio p99  ratio rate")
    with revision(here, BEFORE) as before:
        variants = {
            GROUP: (here, SERVE),
            SINGLE: (here, WITHOUT_GROUP_COMMIT + SERVE),
            # Last: the goals are beside it.
            f"before ({BEFORE[:7]})": (before, SERVE),
        }
        results = [compare(kind, variants, options) for kind in engines]
    return 0 if all(results) else 1


@contextmanager
def revision(repository: Path, name: str) -> Iterator[Path]:
    """Yield a folder with the packages of a revision."""
    with tempfile.TemporaryDirectory() as folder:
        packages = ["sparktest", "crd", "migrations"]
        archive = subprocess.run(
            ["git", "archive", name, *packages], cwd=repository, stdout=subprocess.PIPE, check=True
        )
        subprocess.run(["tar", "-x"], input=archive.stdout, cwd=folder, check=True)
        for package in packages[1:]:
            # As setup.cfg installs them.
            Path(folder, "sparktest", package).symlink_to(f"../{package}")
        yield Path(folder)


def compare(kind: str, variants: Mapping[str, tuple[Path, str]], options: Options) -> bool:
    """Print the lines of a database; return True when the goals are met."""
    results: dict[str, list[Result]] = {name: [] for name in variants}
    for _ in range(options.rounds):
        for name, (folder, program) in variants.items():
            with database(kind) as url, served(folder, program, url) as (process, port):
                load(port, WARM_UP_SECONDS)
                before = cpu_seconds(process)
                result = load(port, options.seconds)
                cpu = (cpu_seconds(process) - before) / (result.rate * options.seconds) * 1000
                results[name].append(replace(result, cpu=cpu))
    medians = {name: median(measured) for name, measured in results.items()}
    for name, result in medians.items():
        p99 = medians[GROUP].p99 / result.p99
        rate = medians[GROUP].rate / result.rate
        print(
            f"{kind:<11}{name:<20} {result.p50:>8.1f} {result.p99:>8.1f} {result.cpu:>8.2f}"
            f" {result.rate:>11.0f} {p99:>10.3f} {rate:>11.2f}"
        )
    good = p99 <= P99_GOALS[kind] and rate >= RATE_GOAL
    print(f"{kind:<11}{'met' if good else 'MISSED'}: goals {P99_GOALS[kind]:.3f}, {RATE_GOAL:.0f}")
    return good


def median(results: list[Result]) -> Result:
    """Return the median of each figure."""
    return Result(
        statistics.median(result.p50 for result in results),
        statistics.median(result.p99 for result in results),
        statistics.median(result.rate for result in results),
        statistics.median(result.cpu for result in results),
    )


@contextmanager
def database(kind: str) -> Iterator[str]:
    """Yield the URL of a new database."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/writers.db"
        return
    server, schema = make_url(os.environ[POSTGRES]), f"bench_{uuid.uuid4().hex[:12]}"
    engine = create_engine(parse_url(server.render_as_string(hide_password=False)))
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    url = server.update_query_dict({"options": f"-csearch_path={schema}"})
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        engine.dispose()


@contextmanager
def served(folder: Path, program: str, url: str) -> Iterator[tuple[int, int]]:
    """Serve the API of the packages in a folder; yield its process id and its port."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHONPATH": str(folder),
        "SPARKTEST_PORT": "0",
        "SPARKTEST_TOKEN": TOKEN,
        "SPARKTEST_DATABASE_URL": url,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program + "serve(load())"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield process.pid, int(process.stdout.readline().rpartition(":")[2])
    finally:
        process.terminate()
        process.communicate()


def load(port: int, seconds: float) -> Result:
    """Return what CLIENTS clients measure that each send a request after the other."""
    body = json.dumps(BODY).encode()
    request = (
        f"POST /api/test-runs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    selector = selectors.DefaultSelector()
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    for _ in range(CLIENTS):
        client = Client(port, request)
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send()
    waiting = CLIENTS
    while waiting:
        for key, _ in selector.select():
            client = key.data
            if not client.receive():
                continue
            now = time.perf_counter()
            if now < end:
                latencies.append(now - client.sent)
                client.send()
            else:
                waiting -= 1
                selector.unregister(client.socket)
                client.socket.close()
    selector.close()
    latencies.sort()
    return Result(
        latencies[len(latencies) // 2] * 1000,
        latencies[len(latencies) * 99 // 100] * 1000,
        len(latencies) / seconds,
    )


class Client:
    """A connection that sends the same request again and again."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._received = b""
        self.sent = 0.0

    def send(self) -> None:
        """Send the request."""
        self._received = b""
        self.sent = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> bool:
        """Read what has arrived; return True when that is the whole response."""
        self._received += self.socket.recv(65536)
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not self._received.startswith(b"HTTP/1.1 201"[: len(self._received)]):
            raise SystemExit(f"the API answered {self._received[:200]!r}")
        lengths = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return bool(found) and len(body) >= int(lengths)


if __name__ == "__main__":
    sys.exit(main())
