"""The tables of access and changes: tokens, the audit, keys of idempotency, changes of runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import CHAR, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from sparktest.api.store.tables import Base, BigId


class TokenRow(Base):
    """A token; its secret is stored as a digest only."""

    __tablename__ = "tokens"
    __table_args__: Any = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    # The public part of the token, which has it without dashes: spt_<id>_<secret>.
    id: Mapped[str] = mapped_column(CHAR(36), unique=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    # Names of `domain.Scope`.
    scopes: Mapped[list[Any]]
    # SHA-256 of the whole token, in hexadecimal.
    digest: Mapped[str] = mapped_column(CHAR(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class AuditRow(Base):
    """Record of a write: who, what, when."""

    __tablename__ = "audit"
    __table_args__: Any = (
        Index("ix_audit_actor_seq", "actor", "seq"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    # The name of the token; bootstrap for that of the settings, local without one.
    actor: Mapped[str] = mapped_column(String(200))
    method: Mapped[str] = mapped_column(String(16))
    path: Mapped[str] = mapped_column(Text)
    status: Mapped[int] = mapped_column(Integer)
    # The id of what was written, where it has one.
    object_id: Mapped[str | None] = mapped_column(CHAR(36), index=True)


class IdempotencyKeyRow(Base):
    """The first response to a request with an Idempotency-Key."""

    __tablename__ = "idempotency_keys"

    # Keys of different tokens are independent.
    token_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    # SHA-256 of method, path and body, in hexadecimal.
    fingerprint: Mapped[str] = mapped_column(CHAR(64))
    status: Mapped[int] = mapped_column(Integer)
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)


class ChangeRow(Base):
    """A change of a run; see `store.changes` for the order of their numbers."""

    __tablename__ = "test_run_changes"
    __table_args__: Any = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    run_id: Mapped[str] = mapped_column(CHAR(36))
    # created, updated or deleted.
    kind: Mapped[str] = mapped_column(String(16))
