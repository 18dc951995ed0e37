"""Drills of the API as a process: `python -m bench.drills [sqlite|postgresql|NAME]`.

- kill: workers and masters are killed, and PostgreSQL is restarted, while clients write. Every
  acknowledged run must be stored once, and a repeated Idempotency-Key must give the first answer.
- reload: SIGHUP under load; no request may fail.
- rolling: two processes behind a balancer are restarted in turn under load; no request may fail.
- slow: 1,000 half-sent, slow or silent connections; /livez and a list may take twice as long.

Print the figures, and exit with 1 if a drill fails. NAME is one of bench/controller_drills.py.
"""

import contextlib
import itertools
import os
import random
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

from bench import controller_drills
from bench.servers import TOKEN, Api, Balancer, Postgres, has_postgres, running

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
RUN = {"image": "busybox:1.35", "commands": ["true"]}
WRITERS, READERS = 8, 8
RUNS_BETWEEN_KILLS = (5, 30)
TIMEOUT_SECONDS = 30
MAX_SLOW_RATIO = 2.0
HALF_SENT = (
    b"",
    b"GET /livez HT",
    b"GET /livez HTTP/1.1\r\nHost: x\r\n",
    b"POST /api/test-runs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
)
Restart = Callable[[], None]


class Writer(threading.Thread):
    """Creates runs, and repeats each request until it is acknowledged.

    Attributes:
        acknowledged: the id of the run by its key, which is also its name.
    """

    def __init__(self, url: str, done: threading.Event, number: int) -> None:
        super().__init__()
        self.acknowledged: dict[str, str] = {}
        self._url, self._done, self._number = url, done, number

    def run(self) -> None:
        """Create runs until the drill is done."""
        for count in itertools.count():
            key = f"drill-{self._number}-{count}"
            while not self._done.is_set() and key not in self.acknowledged:
                if run_id := create(self._url, key):
                    self.acknowledged[key] = run_id
            if self._done.is_set():
                return


def create(url: str, key: str) -> str | None:
    """Create a run with this name and Idempotency-Key; return its id, None without an answer."""
    try:
        response = requests.post(
            f"{url}/api/test-runs",
            json={**RUN, "name": key},
            headers={**HEADERS, "Idempotency-Key": key},
            timeout=TIMEOUT_SECONDS,
        )
    except requests.RequestException:
        time.sleep(0.05)
        return None
    if response.status_code != 201:
        time.sleep(0.05)
        return None
    return str(response.json()["id"])


def kill(api: Api, kills: int, restart_database: Restart | None = None) -> str:
    """Kill workers and masters, every fifth time a master; return the faults, empty for none."""
    done = threading.Event()
    writers = [Writer(api.url, done, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    chance = random.Random(1)
    try:
        for number in range(kills):
            wait_for_runs(writers, chance.randint(*RUNS_BETWEEN_KILLS))
            if restart_database and number == kills // 2:
                restart_database()
            if number % 5 == 4:
                api.kill()
                api.start()
            else:
                kill_a_worker(api, chance)
        wait_for_runs(writers, RUNS_BETWEEN_KILLS[1])
    finally:
        done.set()
        for writer in writers:
            writer.join()
    return check_runs(api, {key: run for each in writers for key, run in each.acknowledged.items()})


def wait_for_runs(writers: list[Writer], more: int) -> None:
    """Wait until so many more runs are acknowledged."""
    before = sum(len(writer.acknowledged) for writer in writers)
    while sum(len(writer.acknowledged) for writer in writers) < before + more:
        time.sleep(0.02)


def kill_a_worker(api: Api, chance: random.Random) -> None:
    """Kill a worker once there is one."""
    while not (workers := api.workers()):
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(workers), signal.SIGKILL)


def check_runs(api: Api, acknowledged: dict[str, str]) -> str:
    """Return what is wrong with the stored runs, empty for nothing."""
    stored: dict[str, list[str]] = {}
    for run in all_runs(api.url):
        stored.setdefault(run["name"], []).append(run["id"])
    lost = [key for key, run_id in acknowledged.items() if run_id not in stored.get(key, [])]
    twice = [key for key, ids in stored.items() if len(ids) > 1]
    other = [key for key, run_id in acknowledged.items() if create(api.url, key) != run_id]
    print(
        f"  {len(acknowledged)} acknowledged, {len(lost)} lost, {len(twice)} twice, "
        f"{len(other)} repeated with another answer"
    )
    return "" if acknowledged and not (lost or twice or other) else "runs are lost or doubled"


def all_runs(url: str) -> Iterator[dict[str, str]]:
    """Yield all runs, page by page."""
    page: str | None = f"{url}/api/test-runs?limit=1000"
    while page:
        response = requests.get(page, headers=HEADERS, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        yield from response.json()
        following = response.links.get("next", {}).get("url")
        page = requests.compat.urljoin(page, following) if following else None


class Reader(threading.Thread):
    """Sends requests on kept connections, and collects every failure."""

    def __init__(self, url: str, done: threading.Event) -> None:
        super().__init__()
        self.answered = 0
        self.failures: list[str] = []
        self._url, self._done = url, done

    def run(self) -> None:
        """Send requests until the drill is done."""
        with requests.Session() as session:
            session.headers.update(HEADERS)
            while not self._done.is_set():
                for path in ("/livez", "/api/test-runs?limit=5"):
                    self._get(session, path)

    def _get(self, session: requests.Session, path: str) -> None:
        try:
            response = session.get(self._url + path, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            self.failures.append(repr(error)[:200])
            return
        self.answered += 1
        if response.status_code != 200:
            self.failures.append(f"{path}: {response.status_code}")


def under_load(url: str, least: int, change: Callable[[], None]) -> str:
    """Change something under load, until so many requests are answered; return the faults."""
    done = threading.Event()
    readers = [Reader(url, done) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    try:
        change()
        while sum(reader.answered for reader in readers) < least:
            time.sleep(0.05)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    failures = [failure for reader in readers for failure in reader.failures]
    print(f"  {sum(reader.answered for reader in readers)} answered, {len(failures)} failed")
    return "; ".join(failures[:3])


def reload(api: Api, least: int) -> str:
    """Reload under load; return the faults."""

    def change() -> None:
        before = set(api.workers())
        api.send(signal.SIGHUP)
        while not (now := set(api.workers())) or now & before:
            time.sleep(0.05)

    return under_load(api.url, least, change)


def rolling(apis: list[Api], least: int) -> str:
    """Restart one after the other behind a load balancer, under load; return the faults."""
    balancer = Balancer([api.url for api in apis])

    def change() -> None:
        for api in apis:
            api.send(signal.SIGTERM)
            api.wait()
            api.start()
            # Before the next one leaves.
            balancer.wait_for(api.url)

    try:
        return under_load(balancer.url, least, change)
    finally:
        balancer.close()


def slow(api: Api, connections: int, requests_each: int) -> str:
    """Hold slow connections and measure others; return the faults."""
    before = latencies(api, requests_each)
    held = []
    for number in range(connections):
        client = socket.create_connection(("127.0.0.1", api.port))
        client.sendall(HALF_SENT[number % len(HALF_SENT)])
        held.append(client)
    meanwhile = latencies(api, requests_each)
    for client in held:
        client.close()
    again = latencies(api, requests_each)
    faults = []
    for path, usual in before.items():
        # The load of the machine changes, too.
        ratio = meanwhile[path] / max(usual, again[path])
        print(f"  {path}: {usual:.2f}, {meanwhile[path]:.2f}, {again[path]:.2f} ms ({ratio:.2f})")
        if ratio > MAX_SLOW_RATIO:
            faults.append(f"{path} is {ratio:.1f} times as slow")
    return "; ".join(faults)


def latencies(api: Api, count: int) -> dict[str, float]:
    """Return the median of some requests, in milliseconds, by path."""
    found = {}
    with requests.Session() as session:
        session.headers.update(HEADERS)
        for path in ("/livez", "/api/test-runs?limit=50"):
            times = []
            for _ in range(count):
                started = time.perf_counter()
                session.get(api.url + path, timeout=TIMEOUT_SECONDS).raise_for_status()
                times.append((time.perf_counter() - started) * 1000)
            found[path] = statistics.median(times)
    return found


def main(engine: str) -> int:
    """Run all drills; return the exit code."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, restart = f"sqlite:///{folder}/drill.db", None
        if engine == "postgresql":
            folder.chmod(0o755)
            server = Postgres(folder / "postgres")
            stack.callback(server.stop)
            url = server.url()

            def restart() -> None:
                server.stop()
                server.start()

        api = stack.enter_context(running(Api(url, folder)))
        other = stack.enter_context(running(Api(url, folder)))
        drills: dict[str, Callable[[], str]] = {
            "kill": lambda: kill(api, 20, restart),
            "reload": lambda: reload(api, 4000),
            "rolling": lambda: rolling([api, other], 4000),
            "slow": lambda: slow(api, 1000, 300),
        }
        failed = False
        for name, drill in drills.items():
            print(f"{name} ({engine})", flush=True)
            failed |= bool(fault := drill())
            print(f"  {fault or 'ok'}", flush=True)
    return int(failed)


if __name__ == "__main__":
    given = sys.argv[1:] or ["postgresql" if has_postgres() else "sqlite"]
    sys.exit((controller_drills.main if given[0] in controller_drills.DRILLS else main)(*given))
