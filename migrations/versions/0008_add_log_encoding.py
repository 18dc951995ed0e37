"""Add the encoding of pieces of logs, the leases of background work, and an index of tombstones."""

import sqlalchemy as sa
import zstandard
from alembic import op
from sparktest.migrations import online

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BATCH_ROWS = 50
NEXT = sa.text(
    "SELECT run_seq, container, start, encoding, data FROM test_run_log_chunks "
    "WHERE (run_seq, container, start) > (:run_seq, :container, :start) "
    "ORDER BY run_seq, container, start LIMIT :rows"
)
STORE = sa.text(
    "UPDATE test_run_log_chunks SET encoding = 'identity', size = :size, data = :data "
    "WHERE run_seq = :run_seq AND container = :container AND start = :start"
)


def upgrade() -> None:
    """Add them; the logs that are stored already are not compressed."""
    encoding = sa.Column("encoding", sa.String(16), nullable=False, server_default="identity")
    online.add_column("test_run_log_chunks", encoding)
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("holder", sa.CHAR(36), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
        if_not_exists=True,
    )
    online.create_index("ix_test_run_tombstones_deleted_at", "test_run_tombstones", ["deleted_at"])


def downgrade() -> None:
    """Drop them; logs are no longer compressed."""
    online.drop_index("ix_test_run_tombstones_deleted_at", "test_run_tombstones")
    op.drop_table("leases", if_exists=True)
    if _has_encodings():
        _decode_logs()
        online.drop_column("test_run_log_chunks", "encoding")


def _has_encodings() -> bool:
    """Return False in a repetition after the column was dropped."""
    columns = sa.inspect(op.get_bind()).get_columns("test_run_log_chunks")
    return any(column["name"] == "encoding" for column in columns)


def _decode_logs() -> None:
    with online.without_transaction() as connection:
        after = {"run_seq": 0, "container": "", "start": 0}
        while rows := connection.execute(NEXT, {**after, "rows": BATCH_ROWS}).all():
            for row in rows:
                after = {"run_seq": row.run_seq, "container": row.container, "start": row.start}
                if row.encoding != "identity":
                    data = bytes(row.data)
                    if row.encoding == "zstd":
                        data = zstandard.ZstdDecompressor().decompress(data)
                    connection.execute(STORE, {**after, "size": len(data), "data": data})
