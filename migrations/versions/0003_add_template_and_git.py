"""Add the pod template, the git source and its commit; allow every label key of Kubernetes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The columns with an empty JSON object for existing rows, by table.
DOCUMENTS = {
    "test_runs": ("git", "template"),
    "test_definitions": ("git", "template"),
    "test_executors": ("template",),
}


def upgrade() -> None:
    """Add the columns and widen the label keys."""
    for table, columns in DOCUMENTS.items():
        for column in columns:
            op.add_column(table, sa.Column(column, sa.Text, nullable=False, server_default="{}"))
    op.add_column("test_runs", sa.Column("git_commit", sa.String(64)))
    with op.batch_alter_table("test_run_labels") as batch:
        batch.alter_column("key", existing_type=sa.String(253), type_=sa.String(317))


def downgrade() -> None:
    """Drop the columns, and the labels whose keys are too long."""
    op.execute("DELETE FROM test_run_labels WHERE length(key) > 253")
    with op.batch_alter_table("test_run_labels") as batch:
        batch.alter_column("key", existing_type=sa.String(317), type_=sa.String(253))
    op.drop_column("test_runs", "git_commit")
    for table, columns in DOCUMENTS.items():
        for column in columns:
            op.drop_column(table, column)
