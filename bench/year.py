"""A year of a busy team: `python -m bench.year [RUNS]` (default 400,000 runs in the year).

Days pass as fast as they can be computed: each one stores its runs with logs of 10 kB, and deletes
those that ended more than 30 days before. Print the size of the SQLite file every 30 days. Then
measure requests with and without pruning at work, in turns. Exit with 1 if the largest size of the
last half year is more than 1.1 times that of the half year's first day, or if the p99 of requests
is more than twice as long with pruning.
"""

import random
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.list_page import run
from sparktest.api import create_app
from sparktest.api.context import AppContext
from sparktest.api.pruner import Pruner
from sparktest.api.store import logs, migrate, runs, upkeep
from sparktest.settings import Settings

RUNS = 400_000
DAYS = 365
RETENTION_DAYS = 30
SETTLED_DAY = 180
LOG_BYTES = 10_000
AT_ONCE = 100
TURNS = 16
TURN_SECONDS = 2.0
MAX_GROWTH = 1.1
MAX_RATIO = 2.0
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [f"{first}{second}" for first in ("check", "log", "pay", "cart") for second in range(50)]


class Year:
    """An application whose clock the benchmark moves."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "year.db"
        self.now = BEGINNING
        url = f"sqlite:///{self.path}"
        migrate.upgrade(url)
        self.app = create_app(
            Settings(database_url=url, retention_days=RETENTION_DAYS), clock=lambda: self.now
        )
        self.ctx: AppContext = self.app.extensions["sparktest"]
        self._random = random.Random(9)
        self._number = 0

    def size(self) -> float:
        """Return the size of the file in MB."""
        return self.path.stat().st_size / 1e6

    def store_day(self, count: int) -> None:
        """Store the runs of a day, with their logs."""
        for first in range(0, count, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, count))
            with self.ctx.store.writing() as connection:
                for number in numbers:
                    at = self.now + timedelta(days=number / count)
                    self._number += 1
                    row = run(self._number)
                    row |= {"created_at": at, "started_at": at, "finished_at": at, "updated_at": at}
                    added = runs.add(connection, row)
                    if added is None:
                        raise SystemExit("the run is not new")
                    log = self._log()
                    logs.append(connection, added["seq"], "test", 0, log, max_bytes=2**26)

    def _log(self) -> bytes:
        lines = []
        size = 0
        while size < LOG_BYTES:
            word, other = self._random.choices(WORDS, k=2)
            passed = self._random.randint(1, 4000)
            lines.append(f"{self.now.isoformat()} INFO [{word}] test_{other} PASSED in {passed} ms")
            size += len(lines[-1]) + 1
        return "\n".join(lines).encode()[:LOG_BYTES]


def main(count: int) -> int:
    """Print the tables and return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        year = Year(Path(folder))
        print(f"{count:,} runs in {DAYS} days, logs of {LOG_BYTES:,} bytes, SQLite")
        settled = simulate(year, count // DAYS)
        year.now += timedelta(days=RETENTION_DAYS)
        quick = compare(year)
        year.ctx.store.close()
    return 0 if settled and quick else 1


def simulate(year: Year, daily: int) -> bool:
    """Print the sizes; return True if they settle."""
    pruner = Pruner(year.ctx, pause=lambda seconds: None)
    sizes = []
    began = time.monotonic()
    for day in range(DAYS):
        year.store_day(daily)
        year.now += timedelta(days=1)
        pruner.sweep()
        sizes.append(year.size())
        if day % 30 == 29:
            print(f"day {day + 1:>4} {sizes[-1]:>8.1f} MB {time.monotonic() - began:>6.0f} s")
    for table in upkeep.sizes(year.ctx.settings.database_url).tables[:6]:
        print(f"{table.table:<24} {table.rows:>9,} rows {(table.size or 0) / 1e6:>8.1f} MB")
    growth = max(sizes[SETTLED_DAY:]) / sizes[SETTLED_DAY]
    print(f"largest size after day {SETTLED_DAY}: {growth:.2f} times that of the day")
    return growth <= MAX_GROWTH


def compare(year: Year) -> bool:
    """Print the times of requests; return True if pruning hardly changes them."""
    working = threading.Event()
    times: dict[bool, list[float]] = {False: [], True: []}

    def pause(seconds: float) -> None:
        time.sleep(seconds)
        working.wait()

    pruner = Pruner(year.ctx, pause=pause)
    deleted: list[int] = []
    thread = threading.Thread(target=lambda: deleted.append(pruner.sweep()), daemon=True)
    thread.start()
    client = year.app.test_client()
    for turn in range(TURNS):
        pruning = turn % 2 == 1
        (working.set if pruning else working.clear)()
        end = time.monotonic() + TURN_SECONDS
        while time.monotonic() < end:
            began = time.monotonic()
            if client.get("/api/test-runs?limit=50").status_code != 200:
                raise SystemExit("no page")
            body = {"name": "login", "image": "busybox", "commands": ["true"]}
            if client.post("/api/test-runs", json=body).status_code != 201:
                raise SystemExit("no run")
            times[pruning].append(time.monotonic() - began)
        if pruning and not thread.is_alive():
            print("all old runs are deleted: more of them are needed for longer turns")
            break
    working.set()
    year.ctx.closing.set()
    thread.join()
    without, pruned = (percentile(times[each]) * 1000 for each in (False, True))
    print(f"{deleted[0]:,} rows deleted meanwhile")
    print(f"p99 of a page and a new run: {without:.1f} ms without, {pruned:.1f} ms with pruning")
    return pruned <= MAX_RATIO * without


def percentile(seconds: list[float]) -> float:
    """Return the time that 99 % of them do not exceed."""
    return sorted(seconds)[int(len(seconds) * 0.99)]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
