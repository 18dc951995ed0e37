"""A database with a million runs, for `bench.million_runs`; it is made once and used again."""

import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from sparktest.api.store import migrate
from sparktest.api.store.engine import is_sqlite, parse_url
from sparktest.api.store.run_search import run_terms
from sparktest.api.store.run_tables import RunRow
from sparktest.api.store.runs import DEFAULTS, as_text

RUNS = 1_000_000
BATCH = 20_000
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("checkout", "login", "smoke", "search", "cart")
COLUMNS = [column.name for column in RunRow.__table__.columns]
DEFINITIONS = [str(uuid.UUID(int=number, version=4)) for number in range(100)]
SCHEDULES = [str(uuid.UUID(int=1000 + number, version=4)) for number in range(5)]
CLASSES = ("test", "infra", "config")
TABLES = {
    "test_runs": COLUMNS,
    "test_run_labels": ["run_seq", "key", "value"],
    "test_run_words": ["run_seq", "word"],
    "test_run_word_parts": ["part", "word"],
}


def make(url: str) -> None:
    """Create the tables and store the runs, unless there are as many already."""
    migrate.upgrade(url)
    database = Sqlite(url) if is_sqlite(parse_url(url)) else Postgres(url)
    try:
        if database.count() == RUNS:
            return
        print(f"storing {RUNS:,} runs ({database.name}) …", flush=True)
        indexes = database.drop_indexes()
        words: set[str] = set()
        for start in range(1, RUNS + 1, BATCH):
            rows = rows_of(range(start, start + BATCH), words)
            for table, columns in TABLES.items():
                database.insert(table, columns, rows[table])
            database.commit()
        database.restore(indexes)
    finally:
        database.close()


def rows_of(numbers: range, known: set[str]) -> dict[str, list[list[Any]]]:
    """Return the rows of the runs with these numbers, by table; add their words to `known`."""
    rows: dict[str, list[list[Any]]] = {table: [] for table in TABLES}
    for number in numbers:
        run = run_of(number)
        texts = as_text({name: DEFAULTS.get(name) for name in COLUMNS} | run)
        rows["test_runs"].append([texts[name] for name in COLUMNS])
        rows["test_run_labels"] += [[number, key, value] for key, value in run["labels"].items()]
        terms = run_terms(run)
        rows["test_run_words"] += [[number, word] for word in terms]
        for word in terms - known:
            rows["test_run_word_parts"] += [[word[n:], word] for n in range(len(word))]
        known |= terms
    return rows


def run_of(number: int) -> dict[str, Any]:
    """Return the columns of a run; most have ended, one in six not well."""
    status, failure = _end(number)
    created = BEGINNING + timedelta(seconds=20 * number)
    ended = status not in ("pending", "running")
    crd = number % 2 == 1
    run_id = str(uuid.UUID(int=(number * 2654435761) % 2**32 << 96 | number, version=4))
    definition = number * 7919 % 100
    labels = {"team": f"t{number % 7}", "env": ("prod", "stage", "dev")[number // 7 % 3]}
    return {
        "seq": number,
        "id": run_id,
        "name": f"{NAMES[number % 5]} {number % 20_000}",
        "status": status,
        "image": "registry.example/shop/tests:1.35",
        "commands": ["npm ci", "npm test -- --reporter=junit"],
        "entrypoint": [],
        "env": {"BASE_URL": "https://shop.example", "BROWSER": "firefox"},
        "timeout_seconds": 3600,
        "namespace": ("shop", "bank", "tests", "ci")[number // 3 % 4],
        "job_name": f"test-run-{run_id}",
        "job_uid": run_id if status != "pending" else None,
        "test_definition_id": DEFINITIONS[definition],
        "definition_name": f"definition {definition}",
        "suite_run_id": str(uuid.UUID(int=number // 50, version=4)) if number % 10 == 0 else None,
        "schedule_id": SCHEDULES[number % 5] if number % 4 == 0 else None,
        "labels": labels | ({"rare": "yes"} if number % 10_000 == 0 else {}),
        "created_at": created,
        "started_at": created + timedelta(seconds=3) if status != "pending" else None,
        "finished_at": created + timedelta(seconds=75.25) if ended else None,
        "updated_at": created + timedelta(seconds=76),
        "failure": failure,
        "failure_class": failure and failure["class"],
        "log_state": "complete" if ended else "none",
        "log_bytes": 2000 if ended else 0,
        "version": 4,
        "origin": "crd" if crd else "api",
        "cluster": f"cluster-{number // 11 % 3}",
        "k8s_ref_namespace": "shop" if crd else None,
        "k8s_ref_name": f"checkout-{number % 20_000}" if crd else None,
        "k8s_ref_uid": run_id if crd else None,
    }


def _end(number: int) -> tuple[str, dict[str, Any] | None]:
    if number > RUNS - 40:
        return ("pending" if number % 4 == 0 else "running"), None
    kind = number * 31 % 100
    if kind < 10:
        found = {"class": CLASSES[number % 3], "reason": "Error", "message": "exit code 1"}
        return "failed", found | {"exitCode": 1}
    if kind < 13:
        return "timed_out", {"class": "timeout", "reason": "DeadlineExceeded", "message": ""}
    if kind < 15:
        return "cancelled", {"class": "cancelled", "reason": "Cancelled", "message": ""}
    return "succeeded", None


class Sqlite:
    """Bulk inserts into SQLite."""

    name = "SQLite"

    def __init__(self, url: str) -> None:
        self.connection = sqlite3.connect(parse_url(url).database or "")
        self.connection.execute("PRAGMA cache_size = -200000")
        self.connection.execute("PRAGMA synchronous = OFF")

    def count(self) -> int:
        """Return the number of runs."""
        return int(self.connection.execute("SELECT count(*) FROM test_runs").fetchone()[0])

    def drop_indexes(self) -> list[str]:
        """Drop all indexes; return the statements that create them."""
        found = self.connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            "AND tbl_name LIKE 'test_run%'"
        ).fetchall()
        for name, _ in found:
            self.connection.execute(f"DROP INDEX {name}")
        return [statement for _, statement in found]

    def insert(self, table: str, columns: list[str], rows: list[list[Any]]) -> None:
        """Insert the rows."""
        marks = ", ".join("?" * len(columns))
        names = ", ".join(f'"{name}"' for name in columns)
        stored = ([_sqlite_value(value) for value in row] for row in rows)
        self.connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", stored)

    def commit(self) -> None:
        """Commit what was inserted."""
        self.connection.commit()

    def restore(self, statements: list[str]) -> None:
        """Create the indexes again."""
        for statement in statements:
            self.connection.execute(statement)
        self.connection.commit()
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class Postgres:
    """Bulk inserts into PostgreSQL."""

    name = "PostgreSQL"

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url)

    def count(self) -> int:
        """Return the number of runs."""
        row = self.connection.execute("SELECT count(*) FROM test_runs").fetchone()
        return int(row[0]) if row else 0

    def drop_indexes(self) -> list[str]:
        """Drop all indexes that belong to no constraint; return what creates them."""
        found = self.connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() "
            "AND tablename LIKE 'test_run%' AND indexname LIKE 'idx_%'"
        ).fetchall()
        for name, _ in found:
            self.connection.execute(f"DROP INDEX {name}".encode())
        return [statement for _, statement in found]

    def insert(self, table: str, columns: list[str], rows: list[list[Any]]) -> None:
        """Insert the rows."""
        with self.connection.cursor() as cursor:
            statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
            with cursor.copy(statement.encode()) as copy:
                for row in rows:
                    copy.write_row(row)

    def commit(self) -> None:
        """Commit what was inserted."""
        self.connection.commit()

    def restore(self, statements: list[str]) -> None:
        """Create the indexes again; set the next number."""
        for statement in statements:
            self.connection.execute(statement.encode())
        self.connection.execute(
            "SELECT setval(pg_get_serial_sequence('test_runs', 'seq'), max(seq)) FROM test_runs"
        )
        self.connection.commit()
        self.connection.autocommit = True
        self.connection.execute("VACUUM ANALYZE")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "microseconds")
    return value
