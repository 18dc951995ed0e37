"""Pages of a million runs: `python -m bench.million_runs [FOLDER] [POSTGRES_URL]`.

Makes a database with a million runs in FOLDER (kept for the next call; 2 GB), and one in the
database of POSTGRES_URL where one is given. For each it prints

- the time of every filter and of every pair of filters, also of those that match nothing, as a
  multiple of the newest page (in process, the best of several);
- the page at depth 999,000;
- requests a second and the server's CPU time a request for the newest 50 runs, as multiples of
  those of `/livez` and of a FastAPI and pydantic application with the same document
  (`bench.fastapi_list`), where the extra `bench` is installed.

Exits with 1 if a goal is missed.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from flask.testing import FlaskClient

from bench import million_data, million_servers
from sparktest.api import create_app
from sparktest.api.responses import encode_cursor
from sparktest.settings import Settings

ROUNDS = 7
MAX_RATIO = 3.0
# Pairs that exclude each other check 1,000 runs before their page ends: docs/api.md, "Filters".
MAX_BOUNDED_RATIO = 20.0
MAX_DEPTH_RATIO = 1.3
NONE = "00000000-0000-4000-8000-ffffffffffff"
# For each filter a common value, a rare one, and one that no run has.
FILTERS = {
    "status": ("succeeded", "running", "cancelled&status=timed_out"),
    "origin": ("crd", "api&origin=crd"),
    "namespace": ("shop", "none"),
    "cluster": ("cluster-1", "none"),
    "definitionId": (million_data.DEFINITIONS[7], NONE),
    "suiteRunId": ("00000000-0000-4000-8000-000000000100", NONE),
    "scheduleId": (million_data.SCHEDULES[1], NONE),
    "class": ("infra", "timeout"),
    "label": ("team=t1", "team in (t1,t2),env!=prod", "rare", "team", "!env", "none=x"),
    "q": ("smoke", "heck 98", "e", "zzz", "smoke zzz", "987"),
    "since": ("2026-02-01T00:00:00Z", "2099-01-01T00:00:00Z"),
    "until": ("2026-02-01T00:00:00Z", "2020-01-01T00:00:00Z"),
    "updatedSince": ("2026-02-01T00:00:00Z", "2026-08-20T12:00:00Z", "2099-01-01T00:00:00Z"),
}


def main() -> int:
    """Print the tables and return the exit code."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir())
    urls = [f"sqlite:///{folder.absolute() / 'runs.db'}", *sys.argv[2:3]]
    good = True
    for url in urls:
        million_data.make(url)
        good = filters(url) and good
        good = million_servers.compare(url) and good
    return 0 if good else 1


def queries() -> Iterator[str]:
    """Yield every filter, and every pair of filters, with each of their values."""
    single = [[f"{name}={value}" for value in values] for name, values in FILTERS.items()]
    yield from (query for values in single for query in values)
    for first, second in combinations(single, 2):
        yield from (f"{one}&{other}" for one in first for other in second)


def filters(url: str) -> bool:
    """Print the slowest filters; return True when the goals are met."""
    client = create_app(Settings(database_url=url)).test_client()
    first = seconds(client, "", ROUNDS * 5)
    print(f"newest page of 50: {first * 1000:.2f} ms in process")
    deep = seconds(client, f"cursor={encode_cursor(1050)}", ROUNDS * 5) / first
    print(f"page at depth 999,000: {deep:.2f} x")
    ratios = {query: seconds(client, query, ROUNDS) / first for query in queries()}
    slow = {query: ratio for query, ratio in ratios.items() if ratio > MAX_RATIO}
    print(f"{len(ratios)} filters and pairs; {len(slow)} beyond {MAX_RATIO} x the newest page:")
    for query, ratio in sorted(slow.items(), key=lambda item: -item[1])[:40]:
        print(f"  {ratio:>6.1f} x  {query}")
    return deep <= MAX_DEPTH_RATIO and max(ratios.values()) <= MAX_BOUNDED_RATIO


def seconds(client: FlaskClient, query: str, rounds: int) -> float:
    """Return the time of one page, the best of several: on SQLite CPU time, all work is here."""
    sqlite = client.application.extensions["sparktest"].store.engine.dialect.name == "sqlite"
    clock = time.process_time if sqlite else time.perf_counter
    times = []
    for _ in range(rounds):
        began = clock()
        response = client.get(f"/api/test-runs?limit=50&{query}")
        times.append(clock() - began)
        if response.status_code != 200:
            raise SystemExit(f"{query}: {response.status} {response.text}")
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
