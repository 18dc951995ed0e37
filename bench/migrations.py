"""Longest stall of a writer while PostgreSQL is migrated: `python -m bench.migrations URL [RUNS]`.

Fill a new schema of the server with runs (1,000,000 unless said) at revision 0003, and migrate it
to the newest while a writer inserts and updates runs as fast as it can. Print how long its longest
transaction took, without and with the migration, for each revision. Exit with 1 if a migration
stalled it for more than 100 ms longer than it was stalled without one.
"""

import random
import sys
import threading
import time
import uuid

from sqlalchemy import Connection, create_engine, make_url, text

from sparktest.api.store import migrate
from sparktest.api.store.engine import parse_url
from sparktest.api.store.tables import REVISION

START = "0003"
RUNS = 1_000_000
REFERENCE_SECONDS = 10
MAX_STALL_MILLISECONDS = 100
COLUMNS = """id, name, status, image, commands, entrypoint, args, env, env_from, resources,
  image_pull_secrets, timeout_seconds, namespace, job_name, labels, created_at, started_at,
  finished_at, updated_at, log_state, log_bytes, version"""
VALUES = """gen_random_uuid(), 'checkout', 'succeeded', 'registry.example/shop/tests:1.35',
  '["npm ci", "npm test"]', '[]', '[]', '{"BASE_URL": "https://shop.example"}', '[]', '{}', '[]',
  3600, 'default', 'test-run', '{"team": "web"}', now(), now(), now(), now(), 'complete', 10, 4"""
# As many rows as runs in each table of runs.
FILL = (
    f"INSERT INTO test_runs ({COLUMNS}) SELECT {VALUES} FROM generate_series(1, :runs)",
    "INSERT INTO test_run_labels SELECT seq, 'team', 'web' FROM test_runs",
    "INSERT INTO test_run_words SELECT seq, 'checkout' FROM test_runs",
    "INSERT INTO test_run_log_chunks SELECT seq, 'test', 0, 10, 'log line 1' FROM test_runs",
    "INSERT INTO test_run_tombstones SELECT gen_random_uuid(), now() FROM test_runs",
)
INSERT = text(f"INSERT INTO test_runs ({COLUMNS}) VALUES ({VALUES})")
UPDATE = text("UPDATE test_runs SET version = version + 1, updated_at = now() WHERE seq = :seq")


def main(server: str, runs: int) -> int:
    """Print the table and return the exit code."""
    schema = f"bench_{uuid.uuid4().hex[:12]}"
    url = make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
    rendered = url.render_as_string(hide_password=False)
    engine = create_engine(parse_url(rendered), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
        try:
            migrate.upgrade(rendered, START)
            fill(connection, runs)
            return compare(rendered, runs)
        finally:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


def fill(connection: Connection, runs: int) -> None:
    """Insert the rows, and wait for the disk, so that it is idle afterwards."""
    for statement in FILL:
        columns = {"runs": runs} if ":runs" in statement else {}
        connection.execute(text(statement), columns)
    connection.execute(text("ANALYZE"))
    connection.execute(text("CHECKPOINT"))


def compare(url: str, runs: int) -> int:
    """Print the longest stall without and with each migration."""
    print(f"{runs:,} runs in PostgreSQL, one writer")
    with Writer(url, runs) as writer:
        time.sleep(REFERENCE_SECONDS)
    print(f"without a migration   {REFERENCE_SECONDS:>6.1f} s   longest {writer.longest:>7.1f} ms")
    failed = False
    for number in range(int(START) + 1, int(REVISION) + 1):
        with Writer(url, runs) as migrated:
            began = time.monotonic()
            migrate.upgrade(url, f"{number:04}")
            seconds = time.monotonic() - began
        stall = migrated.longest
        print(f"migration to {number:04}     {seconds:>6.1f} s   longest {stall:>7.1f} ms")
        failed |= stall - writer.longest > MAX_STALL_MILLISECONDS
    return int(failed)


class Writer:
    """A thread that inserts and updates runs; `longest` is its longest transaction, in ms."""

    def __init__(self, url: str, runs: int) -> None:
        self.longest = 0.0
        self._runs = runs
        self._engine = create_engine(parse_url(url), isolation_level="AUTOCOMMIT")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._engine.dispose()

    def _write(self) -> None:
        chooser = random.Random(7)
        with self._engine.connect() as connection:
            connection.execute(INSERT)
            while not self._stop.is_set():
                began = time.monotonic()
                connection.execute(UPDATE, {"seq": chooser.randint(1, self._runs)})
                connection.execute(INSERT)
                self.longest = max(self.longest, (time.monotonic() - began) * 1000)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else RUNS))
