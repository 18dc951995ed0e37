"""Add the progress of a suite run, which outlives its runs, and the schedule that started it."""

import sqlalchemy as sa
from sparktest.migrations import online

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = ("schedule_id", "finished_at", "started_at", "counts", "status")


def upgrade() -> None:
    """Add the columns; no suite run exists before this revision."""
    time = sa.DateTime(timezone=True)
    for column in (
        sa.Column("status", sa.String(32), nullable=False, server_default="pending"),
        sa.Column("counts", sa.Text, nullable=False, server_default="{}"),
        sa.Column("started_at", time),
        sa.Column("finished_at", time),
        sa.Column("schedule_id", sa.CHAR(36)),
    ):
        online.add_column("test_suite_runs", column)
    online.create_index("idx_test_suite_runs_status", "test_suite_runs", ["status", "seq"])
    online.create_index("ix_test_suite_runs_schedule_id", "test_suite_runs", ["schedule_id"])


def downgrade() -> None:
    """Drop the columns."""
    online.drop_index("ix_test_suite_runs_schedule_id", "test_suite_runs")
    online.drop_index("idx_test_suite_runs_status", "test_suite_runs")
    for column in COLUMNS:
        online.drop_column("test_suite_runs", column)
