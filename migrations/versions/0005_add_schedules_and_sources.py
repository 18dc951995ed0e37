"""Add schedules, and where a run comes from: its schedule, its repetition, its place in a suite."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and add the columns."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "test_schedules",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True),
        sa.Column("id", sa.CHAR(36), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("definition_id", sa.CHAR(36)),
        sa.Column("suite_id", sa.CHAR(36)),
        sa.Column("cron", sa.String(200), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("concurrency", sa.String(16), nullable=False),
        sa.Column("starting_deadline_seconds", sa.Integer),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("next_run_at", time),
        sa.Column("last_run_at", time),
        sa.Column("last_run_id", sa.CHAR(36)),
        sa.Column("missed_runs", sa.Integer, nullable=False),
        sa.Column("last_missed_at", time),
        sa.PrimaryKeyConstraint("seq", name="pk_test_schedules"),
        sa.UniqueConstraint("id", name="uq_test_schedules_id"),
        sa.ForeignKeyConstraint(
            ["definition_id"],
            ["test_definitions.id"],
            name="fk_test_schedules_definition_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["suite_id"], ["test_suites.id"], name="fk_test_schedules_suite_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "concurrency IN ('allow', 'forbid', 'replace')",
            name=op.f("ck_test_schedules_concurrency"),
        ),
        sa.CheckConstraint(
            "(definition_id IS NULL) <> (suite_id IS NULL)", name=op.f("ck_test_schedules_target")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_test_schedules_name", "test_schedules", ["name"], unique=True)
    for column in ("definition_id", "suite_id", "next_run_at"):
        op.create_index(f"ix_test_schedules_{column}", "test_schedules", [column])
    op.add_column("test_runs", sa.Column("schedule_id", sa.CHAR(36)))
    op.add_column("test_runs", sa.Column("repeat_of", sa.CHAR(36)))
    op.add_column(
        "test_runs", sa.Column("blocked", sa.Boolean, nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    """Drop the columns and the table; a run that waits for another one would start at once."""
    for column in ("blocked", "repeat_of", "schedule_id"):
        op.drop_column("test_runs", column)
    op.drop_table("test_schedules")
