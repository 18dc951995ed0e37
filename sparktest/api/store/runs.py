"""Runs in the store, and the heartbeats of the controllers that execute them.

Lists of runs are in run_pages.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, delete, insert, select, type_coerce, update

from sparktest.api.store import changes
from sparktest.api.store.changes import ChangeKind
from sparktest.api.store.engine import Row, dialect_insert, first
from sparktest.api.store.run_tables import RunLabelRow, RunRow, RunTermRow, TombstoneRow
from sparktest.api.store.tables import ControllerRow, Json
from sparktest.domain import Status

COLUMNS = tuple(RunRow.__table__.columns)
JSON_COLUMNS = frozenset(column.name for column in COLUMNS if isinstance(column.type, Json))
# For answers: a JSON column is read as the text it is stored as, to be sent unchanged.
TEXT_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(
    type_coerce(column, Text).label(column.name) if column.name in JSON_COLUMNS else column
    for column in COLUMNS
)
MAX_TERM_LENGTH = 64
_TERM = re.compile(r"[^\W_]+")


def search_terms(*texts: str | None) -> set[str]:
    """Return the case-folded words of the texts: runs of letters and digits of any script."""
    joined = " ".join(text for text in texts if text)
    return {term[:MAX_TERM_LENGTH] for term in _TERM.findall(joined.casefold())}


def find_as_text(connection: Connection, run_id: str) -> Row | None:
    """Return the run with its JSON columns as text, None if there is none."""
    return first(connection, select(*TEXT_COLUMNS).where(RunRow.id == run_id))


def find(connection: Connection, run_id: str, *, for_update: bool = False) -> Row | None:
    """Return the run, locked until the transaction ends if `for_update`; None if there is none."""
    query = select(*COLUMNS).where(RunRow.id == run_id)
    # SQLite ignores FOR UPDATE: its writing transactions are serial anyway.
    return first(connection, query.with_for_update() if for_update else query)


def status(connection: Connection, run_id: str) -> Status | None:
    """Return the status of the run, None if there is none."""
    found = connection.execute(select(RunRow.status).where(RunRow.id == run_id)).scalar()
    return Status(found) if found else None


def find_testrun(connection: Connection, cluster: str, uid: str) -> str | None:
    """Return the id of the run of a TestRun object, None if there is none."""
    query = select(RunRow.id).where(RunRow.cluster == cluster, RunRow.k8s_ref_uid == uid)
    return connection.execute(query).scalar()


def find_job(connection: Connection, job_name: str) -> Row | None:
    """Return the newest run whose Job has this name, None if there is none."""
    query = select(*COLUMNS).where(RunRow.job_name == job_name)
    return first(connection, query.order_by(RunRow.seq.desc()).limit(1))


def add(connection: Connection, run: Mapping[str, Any]) -> bool:
    """Store a new run; return False when its TestRun object has a run already.

    Two controllers that register the same object at once both find no run. The unique constraint
    decides: the second insert waits until the first has committed, and then inserts nothing.

    Raises:
        IntegrityError: any other constraint is violated.
    """
    added = dialect_insert(connection, RunRow).values(**run)
    # An API run has no uid, and NULLs never conflict.
    added = added.on_conflict_do_nothing(index_elements=["cluster", "k8s_ref_uid"])
    seq = connection.execute(added.returning(RunRow.seq)).scalar()
    if seq is None:
        return False
    terms = search_terms(
        run["id"][:8], run["name"], run["definition_name"], run.get("k8s_ref_name")
    )
    if terms:
        rows = [{"word": term, "run_seq": seq} for term in sorted(terms)]
        connection.execute(insert(RunTermRow), rows)
    if run["labels"]:
        pairs = run["labels"].items()
        rows = [{"key": key, "value": value, "run_seq": seq} for key, value in pairs]
        connection.execute(insert(RunLabelRow), rows)
    changes.record(connection, ChangeKind.CREATED, [run["id"]], run["created_at"])
    return True


def change(connection: Connection, run_id: str, columns: Mapping[str, Any], now: datetime) -> None:
    """Set columns of the run, and its version and `updated_at`."""
    connection.execute(
        update(RunRow)
        .where(RunRow.id == run_id)
        .values(**columns, updated_at=now, version=RunRow.version + 1)
    )
    changes.record(connection, ChangeKind.UPDATED, [run_id], now)


def remove(connection: Connection, run: Mapping[str, Any], now: datetime) -> None:
    """Delete the run with its log, and add a tombstone."""
    connection.execute(
        insert(TombstoneRow).values(
            id=run["id"], cluster=run["cluster"], k8s_ref_uid=run["k8s_ref_uid"], deleted_at=now
        )
    )
    connection.execute(delete(RunRow).where(RunRow.id == run["id"]))
    changes.record(connection, ChangeKind.DELETED, [run["id"]], now)


def is_removed(connection: Connection, run_id: str) -> bool:
    """Return True when a run with this id was deleted."""
    query = select(TombstoneRow.id).where(TombstoneRow.id == run_id)
    return connection.execute(query).scalar() is not None


def is_testrun_removed(connection: Connection, cluster: str, uid: str) -> bool:
    """Return True when the run of this TestRun object was deleted."""
    query = select(TombstoneRow.id).where(
        TombstoneRow.cluster == cluster, TombstoneRow.k8s_ref_uid == uid
    )
    return connection.execute(query).scalar() is not None


def record_heartbeat(connection: Connection, cluster: str, now: datetime) -> None:
    """Store that the controller of the cluster sent a request now."""
    row = dialect_insert(connection, ControllerRow).values(cluster=cluster, seen_at=now)
    connection.execute(row.on_conflict_do_update(index_elements=["cluster"], set_={"seen_at": now}))


def heartbeats(connection: Connection) -> dict[str, datetime]:
    """Return the time of the last heartbeat of each cluster's controller."""
    rows = connection.execute(select(ControllerRow.cluster, ControllerRow.seen_at))
    return {row.cluster: row.seen_at for row in rows}
