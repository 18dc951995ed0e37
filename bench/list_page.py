"""Cost of a page of runs with 100 and with 10,000 runs stored: `python -m bench.list_page`.

Print the median CPU time of a page (in process, alternating between the stores) and its number of
SQL statements. Exit with 1 if a page of the large store takes more than 1.5 times as long, or a
different number of statements.
"""

import statistics
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import event

from sparktest.api import create_app
from sparktest.api.context import AppContext
from sparktest.api.store import Store, migrate, runs
from sparktest.domain import LogState, Origin, Status
from sparktest.settings import Settings

SMALL, LARGE = 100, 10_000
ROUNDS = 150
MAX_RATIO = 1.5
# Every filter matches a full page in both stores, so both do the same work.
PAGES = (
    "limit=99",
    "limit=20&status=succeeded",
    "limit=20&status=succeeded&status=failed",
    "limit=20&origin=crd",
    "limit=20&namespace=shop",
    "limit=20&label=team=web",
    "limit=20&since=2026-01-01T00:00:00Z",
    "limit=5&q=9",
)
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Print the table and return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        small = Api(Path(folder) / "small.db", SMALL)
        large = Api(Path(folder) / "large.db", LARGE)
        print(f"{'page':<42} {SMALL:>8} runs {LARGE:>8} runs  ratio  statements")
        results = [compare(small, large, query) for query in PAGES]
        small.close()
        large.close()
    return 0 if all(results) else 1


class Api:
    """An application with a number of stored runs."""

    def __init__(self, path: Path, stored: int) -> None:
        url = f"sqlite:///{path}"
        migrate.upgrade(url)
        app = create_app(Settings(database_url=url))
        ctx: AppContext = app.extensions["sparktest"]
        self.store: Store = ctx.store
        self.client: FlaskClient = app.test_client()
        with self.store.writing() as connection:
            for number in range(stored):
                runs.add(connection, run(number))

    def seconds(self, query: str) -> float:
        """Return the CPU time of one page."""
        began = time.process_time()
        response = self.client.get(f"/api/test-runs?{query}")
        took = time.process_time() - began
        if response.status_code != 200 or "Link" not in response.headers:
            raise SystemExit(f"{query}: no full page: {response.status}")
        return took

    def statements(self, query: str) -> int:
        """Return the number of statements of a page."""
        sent: list[str] = []

        def record(connection: object, cursor: object, statement: str, *rest: object) -> None:
            sent.append(statement)

        engine = self.store.engine
        event.listen(engine, "before_cursor_execute", record)
        self.seconds(query)
        event.remove(engine, "before_cursor_execute", record)
        return len(sent)

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def compare(small: Api, large: Api, query: str) -> bool:
    """Print a line; return True when the page is as cheap in the large store."""
    counts = small.statements(query), large.statements(query)
    pairs = [(small.seconds(query), large.seconds(query)) for _ in range(ROUNDS)]
    first, second = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
    ratio = second / first
    print(
        f"{query:<42} {first:>10.2f} ms {second:>10.2f} ms {ratio:>6.2f}  {counts[0]}, {counts[1]}"
    )
    return ratio <= MAX_RATIO and counts[0] == counts[1]


def run(number: int) -> dict[str, object]:
    """Return the row of a final run; half are runs of TestRuns, one in ten has failed."""
    crd = number % 2 == 1
    begun = BEGINNING + timedelta(minutes=number)
    run_id = str(uuid.UUID(int=number, version=4))
    failure = {"class": "test", "reason": "Error", "message": "exit code 1", "exitCode": 1}
    return {
        "id": run_id,
        "name": f"checkout {number}",
        "status": Status.FAILED if number % 10 == 0 else Status.SUCCEEDED,
        "image": "registry.example/shop/tests:1.35",
        "commands": ["npm ci", "npm test -- --reporter=junit"],
        "entrypoint": [],
        "args": [],
        "env": {"BASE_URL": "https://shop.example", "BROWSER": "firefox"},
        "env_from": [],
        "resources": {},
        "service_account_name": None,
        "image_pull_secrets": [],
        "timeout_seconds": 3600,
        "ttl_seconds_after_finished": None,
        "namespace": "shop" if crd else "default",
        "job_name": f"test-run-{run_id}",
        "job_uid": run_id,
        "test_definition_id": None,
        "definition_name": None,
        "executor_id": None,
        "labels": {"team": "web" if number % 2 else "pay"},
        "created_at": begun,
        "started_at": begun + timedelta(seconds=3),
        "finished_at": begun + timedelta(seconds=75),
        "updated_at": begun + timedelta(seconds=75),
        "failure": failure if number % 10 == 0 else None,
        "log_state": LogState.COMPLETE,
        "log_bytes": 2000,
        "version": 4,
        "origin": Origin.CRD if crd else Origin.API,
        "cluster": "cluster-1",
        "k8s_ref_namespace": "shop" if crd else None,
        "k8s_ref_name": f"checkout-{number}" if crd else None,
        "k8s_ref_uid": run_id if crd else None,
    }


if __name__ == "__main__":
    sys.exit(main())
