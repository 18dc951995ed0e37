"""Programs of the drills: the API, a PostgreSQL server of its own, and a small load balancer."""

import contextlib
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.processes import children, free_port

TOKEN = secrets.token_hex(16)
START_SECONDS = 60.0
PROBE_SECONDS = 0.2
AS_POSTGRES = ("/sbin/runuser", "-u", "postgres", "--")


class Api:
    """A `sparktest api` that can be killed and started again at the same port."""

    def __init__(self, database_url: str, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"api-{self.port}.log"
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "SPARKTEST_DATABASE_URL": database_url,
            "SPARKTEST_PORT": str(self.port),
            "SPARKTEST_TOKEN": TOKEN,
            **settings,
        }
        self.start()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sparktest", "api"],
                env=self._environ,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not is_ready(self.url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the API did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def workers(self) -> list[int]:
        """Return the pids of the processes that serve."""
        return children(self._process.pid)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the master."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return self._process.wait(START_SECONDS)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait()


def is_ready(url: str) -> bool:
    """Return True when /readyz answers 200."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@contextlib.contextmanager
def running(api: Api) -> Iterator[Api]:
    """Kill the API after the block."""
    try:
        yield api
    finally:
        api.kill()


class Postgres:
    """A PostgreSQL server in a folder."""

    def __init__(self, folder: Path) -> None:
        (initdb,) = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[-1:]
        self._bin, self._folder = initdb.parent, folder
        self._port = free_port()
        folder.mkdir()
        shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-E", "UTF8")
        self.start()

    def url(self) -> str:
        """Return the URL of its database."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it."""
        options = f"-h 127.0.0.1 -p {self._port} -k {self._folder}"
        self._run("pg_ctl", "-w", "-l", f"{self._folder}/log", "-o", options, "start")

    def stop(self) -> None:
        """Stop it as a crash would."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def _run(self, program: str, *args: str) -> None:
        subprocess.run(
            [*AS_POSTGRES, self._bin / program, "-D", self._folder, *args],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def has_postgres() -> bool:
    """Return True where `Postgres` can run."""
    found = any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found and os.getuid() == 0 and Path(AS_POSTGRES[0]).exists()


class Balancer:
    """A load balancer: each connection goes to a backend whose /readyz answers 200."""

    def __init__(self, backends: Sequence[str]) -> None:
        self._backends = list(backends)
        self._ready = list(backends)
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        for target in (self._probe, self._accept):
            threading.Thread(target=target, daemon=True).start()

    def close(self) -> None:
        """Stop probing and accepting."""
        self._closing.set()
        self._listener.close()

    def wait_for(self, backend: str) -> None:
        """Wait until new connections may go to this backend."""
        while backend not in self._ready:
            time.sleep(0.02)

    def _probe(self) -> None:
        while not self._closing.wait(PROBE_SECONDS):
            self._ready = [url for url in self._backends if is_ready(url)]

    def _accept(self) -> None:
        number = 0
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            threading.Thread(target=self._serve, args=(client, number), daemon=True).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        with client, contextlib.suppress(OSError):
            backend = self._connect(number)
            with backend:
                _copy(client, backend)

    def _connect(self, number: int) -> socket.socket:
        """Connect to a ready backend, or to the next one where that is refused."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            ready = self._ready or self._backends
            url = ready[number % len(ready)]
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
            number += 1
            time.sleep(0.02)
        raise ConnectionRefusedError


def _copy(client: socket.socket, backend: socket.socket) -> None:
    """Copy bytes in both directions until one side closes."""
    other = {client: backend, backend: client}
    while True:
        for source in select.select([client, backend], [], [])[0]:
            data = source.recv(65536)
            if not data:
                return
            other[source].sendall(data)
