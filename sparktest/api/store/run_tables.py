"""The tables of runs: runs, their labels and search terms, their logs, and tombstones."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from sparktest.api.store.tables import Base, BigId, EntityColumns, SearchTerm, SpecColumns
from sparktest.domain import (
    MAX_LABEL_KEY_LENGTH,
    MAX_LABEL_VALUE_LENGTH,
    MAX_NAME_LENGTH,
    LogState,
    Origin,
    Status,
)


def _one_of(column: str, values: type[Status | Origin | LogState]) -> CheckConstraint:
    quoted = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


def _run_seq() -> Mapped[int]:
    return mapped_column(BigId, ForeignKey("test_runs.seq", ondelete="CASCADE"), primary_key=True)


class RunRow(EntityColumns, SpecColumns, Base):
    """One execution, with a snapshot of its spec: no foreign key to a definition or executor."""

    __tablename__ = "test_runs"
    __table_args__ = (
        _one_of("status", Status),
        _one_of("log_state", LogState),
        _one_of("origin", Origin),
        Index("idx_test_runs_status", "status", "seq"),
        Index("idx_test_runs_namespace", "namespace", "seq"),
        Index("idx_test_runs_definition", "test_definition_id", "seq"),
        Index("idx_test_runs_job", "job_name"),
        Index("idx_test_runs_created", "created_at"),
        Index("idx_test_runs_updated", "updated_at"),
        Index("idx_test_runs_suite_run", "suite_run_id", "seq"),
        Index("idx_test_runs_schedule", "schedule_id", "seq"),
        Index("idx_test_runs_failure_class", "failure_class", "seq"),
        Index("idx_test_runs_origin", "origin", "seq"),
        Index("idx_test_runs_cluster", "cluster", "seq"),
        Index("idx_test_runs_k8s_ref", "k8s_ref_namespace", "k8s_ref_name"),
        UniqueConstraint("cluster", "k8s_ref_uid"),
        {"sqlite_autoincrement": True},
    )

    name: Mapped[str] = mapped_column(String(MAX_NAME_LENGTH))
    status: Mapped[str] = mapped_column(String(32))
    status_reason: Mapped[str | None] = mapped_column(Text)
    status_message: Mapped[str | None] = mapped_column(Text)
    # What to run, beside SpecColumns.
    entrypoint: Mapped[list[Any]]
    git_commit: Mapped[str | None] = mapped_column(String(64))
    timeout_seconds: Mapped[int] = mapped_column(Integer)
    ttl_seconds_after_finished: Mapped[int | None] = mapped_column(Integer)
    # Where it runs.
    namespace: Mapped[str] = mapped_column(String(63))
    job_name: Mapped[str] = mapped_column(String(63))
    job_uid: Mapped[str | None] = mapped_column(String(128))
    # Where it comes from.
    test_definition_id: Mapped[str | None] = mapped_column(CHAR(36))
    definition_name: Mapped[str | None] = mapped_column(String(200))
    executor_id: Mapped[str | None] = mapped_column(CHAR(36))
    suite_run_id: Mapped[str | None] = mapped_column(CHAR(36))
    schedule_id: Mapped[str | None] = mapped_column(CHAR(36))
    rerun_of: Mapped[str | None] = mapped_column(CHAR(36))
    repeat_of: Mapped[str | None] = mapped_column(CHAR(36))
    # Waits for the run before it in a sequential suite; controllers do not see it.
    blocked: Mapped[bool] = mapped_column(default=False, server_default=false())
    labels: Mapped[dict[str, Any]]
    # When, and how it ended.
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    cancel_requested_at: Mapped[datetime | None]
    failure: Mapped[dict[str, Any] | None]
    # Of the failure, for filtering.
    failure_class: Mapped[str | None] = mapped_column(String(32))
    log_state: Mapped[str] = mapped_column(String(32))
    log_reason: Mapped[str | None] = mapped_column(Text)
    log_bytes: Mapped[int] = mapped_column(BigInteger)
    # The TestRun object behind it, and the cluster that runs it.
    origin: Mapped[str] = mapped_column(String(32), server_default=Origin.API.value)
    cluster: Mapped[str | None] = mapped_column(String(128))
    k8s_ref_namespace: Mapped[str | None] = mapped_column(String(63))
    k8s_ref_name: Mapped[str | None] = mapped_column(String(253))
    k8s_ref_uid: Mapped[str | None] = mapped_column(String(128))


class RunLabelRow(Base):
    """A label of a run, for filtering; `RunRow.labels` has them all for display."""

    __tablename__ = "test_run_labels"

    key: Mapped[str] = mapped_column(String(MAX_LABEL_KEY_LENGTH), primary_key=True)
    value: Mapped[str] = mapped_column(String(MAX_LABEL_VALUE_LENGTH), primary_key=True)
    run_seq: Mapped[int] = _run_seq()
    __table_args__ = (
        Index("idx_test_run_labels_run", "run_seq"),
        Index("idx_test_run_labels_key", "key", "run_seq"),
    )


class RunTermRow(Base):
    """A search term of a run: a word, in lower case."""

    # The table was named before its words were called terms; a rename would need a migration.
    __tablename__ = "test_run_words"

    word: Mapped[str] = mapped_column(SearchTerm, primary_key=True)
    run_seq: Mapped[int] = _run_seq()
    __table_args__ = (Index("idx_test_run_words_run", "run_seq", "word"),)


# Every end of every word, with the word: the words that contain a text have a part that begins with
# it. A part may be there twice.
word_parts = Table(
    "test_run_word_parts",
    Base.metadata,
    Column("part", SearchTerm, nullable=False),
    Column("word", SearchTerm, nullable=False),
    Index("idx_test_run_word_parts", "part", "word"),
)


class LogChunkRow(Base):
    """A piece of a container's log: `size` bytes from the offset `start` on."""

    __tablename__ = "test_run_log_chunks"

    run_seq: Mapped[int] = _run_seq()
    container: Mapped[str] = mapped_column(String(63), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(Integer)
    # How `data` holds them: see log_chunks.
    encoding: Mapped[str] = mapped_column(String(16), server_default="identity")
    data: Mapped[bytes] = mapped_column(LargeBinary)


class TombstoneRow(Base):
    """Record of a deleted run, so that a later report or registration gets 410 Gone."""

    __tablename__ = "test_run_tombstones"
    __table_args__ = (UniqueConstraint("cluster", "k8s_ref_uid"),)

    id: Mapped[str] = mapped_column(CHAR(36), primary_key=True)
    # Or when a client asked for it since then.
    deleted_at: Mapped[datetime] = mapped_column(index=True)
    cluster: Mapped[str | None] = mapped_column(String(128))
    k8s_ref_uid: Mapped[str | None] = mapped_column(String(128))
