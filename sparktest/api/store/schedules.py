"""Schedules in the store: which are due, and which of their runs have not ended."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from sparktest.api.store import runs
from sparktest.api.store.engine import Row, fetch_all
from sparktest.api.store.run_tables import RunRow
from sparktest.api.store.tables import ScheduleRow
from sparktest.domain import Status

COLUMNS = tuple(ScheduleRow.__table__.columns)
LIVE = [status for status in Status if not status.final]


def due(connection: Connection, now: datetime, limit: int) -> Sequence[Row]:
    """Return at most `limit` schedules that are due, the one that waits longest first."""
    query = select(*COLUMNS).where(ScheduleRow.next_run_at <= now)
    return fetch_all(connection, query.order_by(ScheduleRow.next_run_at).limit(limit))


def next_due(connection: Connection) -> datetime | None:
    """Return the time at which the next schedule is due, None if none will be."""
    return connection.execute(select(func.min(ScheduleRow.next_run_at))).scalar()


def live_runs(connection: Connection, schedule_id: str) -> Sequence[Row]:
    """Return the runs of the schedule that have not ended, also those of its suite runs.

    They are locked until the transaction ends.
    """
    # The index of the status has few of these.
    query = select(*runs.COLUMNS).where(RunRow.status.in_(LIVE))
    query = query.where(RunRow.schedule_id == schedule_id).order_by(RunRow.seq)
    return fetch_all(connection, query.with_for_update())


def names_starting(connection: Connection, target_id: str, limit: int) -> Sequence[str]:
    """Return the names of at most `limit` schedules of this definition or suite."""
    query = select(ScheduleRow.name).where(
        or_(ScheduleRow.definition_id == target_id, ScheduleRow.suite_id == target_id)
    )
    return connection.execute(query.order_by(ScheduleRow.seq).limit(limit)).scalars().all()
