"""The column types of all tables, and the tables of all but runs and access.

`seq` numbers rows inside the store and orders pages; `id` is the public UUID.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry
from sqlalchemy.types import TypeDecorator

# The migration revision that this code reads and writes.
REVISION = "0009"

CONSTRAINT_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite generates numbers only for a column of type INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")
# Compared byte by byte on both databases, so that a prefix is a range of the index.
SearchTerm = String(64).with_variant(String(64, collation="C"), "postgresql")


class UtcTime(TypeDecorator[datetime]):
    """Aware time, stored and returned in UTC; a naive time is refused.

    SQLite stores no zone: 12:00+02:00 would come back as a naive 12:00.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert the time to UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time as an aware time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSON stored as text: nothing filters by its contents, so no JSON type is needed.

    Python's None is stored as NULL, never as the JSON word null.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encode the value."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Decode the text."""
        return None if value is None else msgspec.json.decode(value)


class Base(DeclarativeBase):
    """Base class of all tables; every constraint has a name, so that a migration can drop it."""

    registry = registry(
        metadata=MetaData(naming_convention=CONSTRAINT_NAMES),
        type_annotation_map={datetime: UtcTime(), dict[str, Any]: Json(), list[Any]: Json()},
    )


db = SQLAlchemy(model_class=Base)


class EntityColumns:
    """Columns of the tables whose rows have a public id."""

    __table_args__: Any = ({"sqlite_autoincrement": True},)

    # A number is never used twice.
    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    # In lower case and with dashes.
    id: Mapped[str] = mapped_column(CHAR(36), unique=True)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer, default=1)


class SpecColumns:
    """Columns of `domain.RunSpec`: what a run or a definition runs."""

    image: Mapped[str] = mapped_column(Text, default="")
    commands: Mapped[list[Any]] = mapped_column(default=list)
    args: Mapped[list[Any]] = mapped_column(default=list)
    env: Mapped[dict[str, Any]] = mapped_column(default=dict)
    env_from: Mapped[list[Any]] = mapped_column(default=list)
    resources: Mapped[dict[str, Any]] = mapped_column(default=dict)
    service_account_name: Mapped[str | None] = mapped_column(String(253))
    image_pull_secrets: Mapped[list[Any]] = mapped_column(default=list)
    git: Mapped[dict[str, Any]] = mapped_column(default=dict)
    template: Mapped[dict[str, Any]] = mapped_column(default=dict)


class ExecutorRow(EntityColumns, Base):
    """A named kind of test runner."""

    __tablename__ = "test_executors"

    name: Mapped[str] = mapped_column(String(200), index=True, unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    image: Mapped[str] = mapped_column(Text)
    default_command: Mapped[str] = mapped_column(Text, default="")
    command: Mapped[list[Any]] = mapped_column(default=list)
    supported_file_types: Mapped[list[Any]] = mapped_column(default=list)
    environment_variables: Mapped[list[Any]] = mapped_column(default=list)
    env: Mapped[dict[str, Any]] = mapped_column(default=dict)
    template: Mapped[dict[str, Any]] = mapped_column(default=dict)
    icon: Mapped[str] = mapped_column(Text, default="")


class DefinitionRow(EntityColumns, SpecColumns, Base):
    """A reusable test."""

    __tablename__ = "test_definitions"

    name: Mapped[str] = mapped_column(String(200), index=True, unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    command: Mapped[list[Any]] = mapped_column(default=list)
    timeout_seconds: Mapped[int | None] = mapped_column(Integer)
    executor_id: Mapped[str | None] = mapped_column(
        ForeignKey("test_executors.id", ondelete="SET NULL"), index=True
    )
    labels: Mapped[list[Any]] = mapped_column(default=list)


class SuiteRow(EntityColumns, Base):
    """An ordered set of definitions."""

    __tablename__ = "test_suites"
    __table_args__ = (
        CheckConstraint("execution_mode IN ('sequential', 'parallel')", name="execution_mode"),
        {"sqlite_autoincrement": True},
    )

    name: Mapped[str] = mapped_column(String(200), index=True, unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    execution_mode: Mapped[str] = mapped_column(String(32), default="sequential")
    stop_on_failure: Mapped[bool] = mapped_column(default=False)
    labels: Mapped[list[Any]] = mapped_column(default=list)


class ScheduleRow(EntityColumns, Base):
    """Start times of a definition or a suite."""

    __tablename__ = "test_schedules"
    __table_args__ = (
        CheckConstraint("concurrency IN ('allow', 'forbid', 'replace')", name="concurrency"),
        CheckConstraint("(definition_id IS NULL) <> (suite_id IS NULL)", name="target"),
        {"sqlite_autoincrement": True},
    )

    name: Mapped[str] = mapped_column(String(200), index=True, unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    definition_id: Mapped[str | None] = mapped_column(
        ForeignKey("test_definitions.id", ondelete="CASCADE"), index=True
    )
    suite_id: Mapped[str | None] = mapped_column(
        ForeignKey("test_suites.id", ondelete="CASCADE"), index=True
    )
    cron: Mapped[str] = mapped_column(String(200))
    time_zone: Mapped[str] = mapped_column(String(64))
    concurrency: Mapped[str] = mapped_column(String(16))
    starting_deadline_seconds: Mapped[int | None] = mapped_column(Integer)
    enabled: Mapped[bool]
    # The next due time; None where the schedule is not enabled or never due again.
    next_run_at: Mapped[datetime | None] = mapped_column(index=True)
    last_run_at: Mapped[datetime | None]
    # The run, or the suite run, of that time.
    last_run_id: Mapped[str | None] = mapped_column(CHAR(36))
    missed_runs: Mapped[int] = mapped_column(Integer, default=0)
    last_missed_at: Mapped[datetime | None]


class SuiteMemberRow(Base):
    """Membership of a definition in a suite, by position; a definition may occur several times."""

    __tablename__ = "test_suite_members"

    suite_seq: Mapped[int] = mapped_column(
        BigId, ForeignKey("test_suites.seq", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    definition_seq: Mapped[int] = mapped_column(
        BigId, ForeignKey("test_definitions.seq", ondelete="CASCADE"), index=True
    )


class SuiteRunRow(EntityColumns, Base):
    """One execution of a suite; name and mode are a snapshot."""

    __tablename__ = "test_suite_runs"
    __table_args__ = (
        Index("idx_test_suite_runs_status", "status", "seq"),
        CheckConstraint("execution_mode IN ('sequential', 'parallel')", name="execution_mode"),
        {"sqlite_autoincrement": True},
    )

    suite_id: Mapped[str] = mapped_column(CHAR(36), index=True)
    suite_name: Mapped[str] = mapped_column(String(200))
    execution_mode: Mapped[str] = mapped_column(String(32))
    stop_on_failure: Mapped[bool]
    cancel_requested_at: Mapped[datetime | None]
    # From its runs, whose rows may be deleted: the number of runs by status.
    status: Mapped[str] = mapped_column(String(32), server_default="pending")
    counts: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    schedule_id: Mapped[str | None] = mapped_column(CHAR(36), index=True)


class ControllerRow(Base):
    """Heartbeat of the controller of a cluster: the time of its last request."""

    __tablename__ = "controllers"

    cluster: Mapped[str] = mapped_column(String(128), primary_key=True)
    seen_at: Mapped[datetime]


class LeaseRow(Base):
    """The right of one process to do some background work, until a time."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(CHAR(36))
    until: Mapped[datetime]
