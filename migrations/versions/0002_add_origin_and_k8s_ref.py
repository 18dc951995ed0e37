"""Add the origin of a run, its TestRun object and its cluster."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ORIGINS = "origin IN ('api', 'crd')"


def upgrade() -> None:
    """Add the columns; all existing runs get origin api."""
    with op.batch_alter_table("test_runs", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.add_column(sa.Column("origin", sa.String(32), nullable=False, server_default="api"))
        batch.add_column(sa.Column("cluster", sa.String(128)))
        batch.add_column(sa.Column("k8s_ref_namespace", sa.String(63)))
        batch.add_column(sa.Column("k8s_ref_name", sa.String(253)))
        batch.add_column(sa.Column("k8s_ref_uid", sa.String(128)))
        batch.create_check_constraint(op.f("ck_test_runs_origin"), ORIGINS)
        batch.create_unique_constraint(
            "uq_test_runs_cluster_k8s_ref_uid", ["cluster", "k8s_ref_uid"]
        )
    op.create_index("idx_test_runs_origin", "test_runs", ["origin", "seq"])
    op.create_index("idx_test_runs_cluster", "test_runs", ["cluster", "seq"])
    op.create_index("idx_test_runs_k8s_ref", "test_runs", ["k8s_ref_namespace", "k8s_ref_name"])
    with op.batch_alter_table("test_run_tombstones") as batch:
        batch.add_column(sa.Column("cluster", sa.String(128)))
        batch.add_column(sa.Column("k8s_ref_uid", sa.String(128)))
        batch.create_unique_constraint(
            "uq_test_run_tombstones_cluster_k8s_ref_uid", ["cluster", "k8s_ref_uid"]
        )
    op.create_table(
        "controllers",
        sa.Column("cluster", sa.String(128), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cluster", name="pk_controllers"),
    )


def downgrade() -> None:
    """Drop the columns; runs of TestRun objects are kept like API runs."""
    op.drop_table("controllers")
    with op.batch_alter_table("test_run_tombstones") as batch:
        batch.drop_constraint("uq_test_run_tombstones_cluster_k8s_ref_uid", type_="unique")
        batch.drop_column("k8s_ref_uid")
        batch.drop_column("cluster")
    for name in ("k8s_ref", "cluster", "origin"):
        op.drop_index(f"idx_test_runs_{name}", "test_runs")
    with op.batch_alter_table("test_runs", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint("uq_test_runs_cluster_k8s_ref_uid", type_="unique")
        batch.drop_constraint(op.f("ck_test_runs_origin"), type_="check")
        for name in ("k8s_ref_uid", "k8s_ref_name", "k8s_ref_namespace", "cluster", "origin"):
            batch.drop_column(name)
