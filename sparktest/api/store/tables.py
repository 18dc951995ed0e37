"""The tables of definitions, executors, suites and of what the API remembers beside runs.

`seq` numbers rows inside the store and orders pages; `id` is the UUID that the world sees.
"""

from datetime import datetime
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import CHAR, CheckConstraint, ForeignKey, Integer, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

from sparktest.api.store.types import BigId, Json, UtcTime

# The revision of migrations/ that this code reads and writes.
REVISION = "0002"


NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What all tables share: every constraint has a name, so that a migration can drop it."""

    registry = registry(
        metadata=MetaData(naming_convention=NAMES),
        type_annotation_map={datetime: UtcTime(), dict[str, Any]: Json(), list[Any]: Json()},
    )


db = SQLAlchemy(model_class=Base)


def seq() -> Mapped[int]:
    """The column that numbers rows; a number is never given twice."""
    return mapped_column(BigId, primary_key=True, autoincrement=True)


def public_id() -> Mapped[str]:
    """The column of the UUID, in lower case and with dashes."""
    return mapped_column(CHAR(36), unique=True)


class ExecutorRow(Base):
    """A named kind of test runner."""

    __tablename__ = "test_executors"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = seq()
    id: Mapped[str] = public_id()
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    image: Mapped[str] = mapped_column(Text)
    default_command: Mapped[str] = mapped_column(Text, default="")
    command: Mapped[list[Any]] = mapped_column(default=list)
    supported_file_types: Mapped[list[Any]] = mapped_column(default=list)
    environment_variables: Mapped[list[Any]] = mapped_column(default=list)
    env: Mapped[dict[str, Any]] = mapped_column(default=dict)
    icon: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer, default=1)


class DefinitionRow(Base):
    """A reusable test."""

    __tablename__ = "test_definitions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = seq()
    id: Mapped[str] = public_id()
    name: Mapped[str] = mapped_column(String(200), index=True)
    description: Mapped[str] = mapped_column(Text, default="")
    image: Mapped[str] = mapped_column(Text, default="")
    commands: Mapped[list[Any]] = mapped_column(default=list)
    command: Mapped[list[Any]] = mapped_column(default=list)
    args: Mapped[list[Any]] = mapped_column(default=list)
    env: Mapped[dict[str, Any]] = mapped_column(default=dict)
    env_from: Mapped[list[Any]] = mapped_column(default=list)
    resources: Mapped[dict[str, Any]] = mapped_column(default=dict)
    service_account_name: Mapped[str | None] = mapped_column(String(253))
    image_pull_secrets: Mapped[list[Any]] = mapped_column(default=list)
    timeout_seconds: Mapped[int | None] = mapped_column(Integer)
    executor_id: Mapped[str | None] = mapped_column(
        ForeignKey("test_executors.id", ondelete="SET NULL"), index=True
    )
    labels: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer, default=1)


class SuiteRow(Base):
    """An ordered set of definitions."""

    __tablename__ = "test_suites"
    __table_args__ = (
        CheckConstraint("execution_mode IN ('sequential', 'parallel')", name="execution_mode"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = seq()
    id: Mapped[str] = public_id()
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    execution_mode: Mapped[str] = mapped_column(String(32), default="sequential")
    stop_on_failure: Mapped[bool] = mapped_column(default=False)
    labels: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer, default=1)


class SuiteMemberRow(Base):
    """A definition's place in a suite; a definition may have several."""

    __tablename__ = "test_suite_members"

    suite_seq: Mapped[int] = mapped_column(
        BigId, ForeignKey("test_suites.seq", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    definition_seq: Mapped[int] = mapped_column(
        BigId, ForeignKey("test_definitions.seq", ondelete="CASCADE"), index=True
    )


class SuiteRunRow(Base):
    """One execution of a suite; name and mode are a snapshot, as in runs."""

    __tablename__ = "test_suite_runs"
    __table_args__ = (
        CheckConstraint("execution_mode IN ('sequential', 'parallel')", name="execution_mode"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = seq()
    id: Mapped[str] = public_id()
    suite_id: Mapped[str] = mapped_column(CHAR(36), index=True)
    suite_name: Mapped[str] = mapped_column(String(200))
    execution_mode: Mapped[str] = mapped_column(String(32))
    stop_on_failure: Mapped[bool]
    created_at: Mapped[datetime]
    cancel_requested_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, default=1)


class ControllerRow(Base):
    """When the controller of a cluster last spoke to the API."""

    __tablename__ = "controllers"

    cluster: Mapped[str] = mapped_column(String(128), primary_key=True)
    seen_at: Mapped[datetime]
