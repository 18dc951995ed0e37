"""Longest stall of a writer while PostgreSQL is migrated: `python -m bench.migrations URL [RUNS]`.

Fill a new schema of the server with runs (1,000,000 unless said) at revision 0003, and migrate it
to the newest while a writer inserts and updates runs as fast as it can. Print its longest
transaction for each revision, beside that of a second writer, of a table that is not migrated: so
much is the machine's. Exit with 1 if a migration stalled the first for 100 ms more than the second.
"""

import random
import sys
import threading
import time
import uuid

from sqlalchemy import Connection, TextClause, create_engine, make_url, text

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
    "CREATE TABLE control (seq BIGSERIAL PRIMARY KEY, version INTEGER)",
    "INSERT INTO control (version) SELECT 1 FROM test_runs",
    "INSERT INTO test_run_labels SELECT seq, 'team', 'web' FROM test_runs",
    "INSERT INTO test_run_words SELECT seq, 'checkout' FROM test_runs",
    "INSERT INTO test_run_log_chunks SELECT seq, 'test', 0, 10, 'log line 1' FROM test_runs",
    "INSERT INTO test_run_tombstones SELECT gen_random_uuid(), now() FROM test_runs",
)
STATEMENTS = (
    text("UPDATE test_runs SET version = version + 1, updated_at = now() WHERE seq = :seq"),
    text(f"INSERT INTO test_runs ({COLUMNS}) VALUES ({VALUES})"),
)
CONTROL = (
    text("UPDATE control SET version = version + 1 WHERE seq = :seq"),
    text("INSERT INTO control (version) VALUES (1)"),
)


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
    print(f"{runs:,} runs in PostgreSQL")
    with Writer(url, runs) as writer, Writer(url, runs, CONTROL) as control:
        time.sleep(REFERENCE_SECONDS)
    show("without a migration", REFERENCE_SECONDS, writer, control)
    failed = False
    for number in range(int(START) + 1, int(REVISION) + 1):
        with Writer(url, runs) as writer, Writer(url, runs, CONTROL) as control:
            began = time.monotonic()
            migrate.upgrade(url, f"{number:04}")
            seconds = time.monotonic() - began
        show(f"migration to {number:04}", seconds, writer, control)
        failed |= writer.longest - control.longest > MAX_STALL_MILLISECONDS
    return int(failed)


def show(title: str, seconds: float, writer: "Writer", control: "Writer") -> None:
    """Print a line of the table."""
    longest = f"{writer.longest:>7.1f} ms, of the other table {control.longest:>7.1f} ms"
    print(f"{title:<20} {seconds:>7.1f} s   longest {longest}", flush=True)


class Writer:
    """A thread that inserts and updates rows; `longest` is its longest transaction, in ms.

    Args:
        url: of the database.
        runs: the rows of the table.
        statements: that update a row and insert one.
    """

    def __init__(
        self, url: str, runs: int, statements: tuple[TextClause, TextClause] = STATEMENTS
    ) -> None:
        self._update, self._insert = statements
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
            connection.execute(self._insert)
            while not self._stop.is_set():
                began = time.monotonic()
                connection.execute(self._update, {"seq": chooser.randint(1, self._runs)})
                connection.execute(self._insert)
                self.longest = max(self.longest, (time.monotonic() - began) * 1000)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else RUNS))
