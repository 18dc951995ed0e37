"""Create the tables of definitions, executors, suites and runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
WORD = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
STATUSES = "'pending', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled'"
MODES = "'sequential', 'parallel'"


def upgrade() -> None:
    """Create all tables, without the columns that refer to a TestRun object."""
    _executors_and_definitions()
    _suites()
    _runs()
    _labels_and_search_terms()
    _logs_and_tombstones()


def downgrade() -> None:
    """Drop everything, children first."""
    for table in (
        "test_run_tombstones",
        "test_run_log_chunks",
        "test_run_words",
        "test_run_labels",
        "test_runs",
        "test_suite_runs",
        "test_suite_members",
        "test_suites",
        "test_definitions",
        "test_executors",
    ):
        op.drop_table(table)


def _numbered(name: str, *columns: sa.schema.SchemaItem) -> None:
    """Create a table with an integer key for joins and a UUID for clients."""
    op.create_table(
        name,
        sa.Column("seq", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("id", sa.CHAR(36), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("seq", name=f"pk_{name}"),
        sa.UniqueConstraint("id", name=f"uq_{name}_id"),
        sqlite_autoincrement=True,
    )


def _documents(*names: str) -> list[sa.Column[str]]:
    """Return columns of JSON as text."""
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _executors_and_definitions() -> None:
    _numbered(
        "test_executors",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("default_command", sa.Text, nullable=False),
        *_documents("command", "supported_file_types", "environment_variables", "env"),
        sa.Column("icon", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    _numbered(
        "test_definitions",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("image", sa.Text, nullable=False),
        *_documents("commands", "command", "args", "env", "env_from", "resources"),
        sa.Column("service_account_name", sa.String(253)),
        *_documents("image_pull_secrets"),
        sa.Column("timeout_seconds", sa.Integer),
        sa.Column("executor_id", sa.CHAR(36)),
        *_documents("labels"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["executor_id"],
            ["test_executors.id"],
            name="fk_test_definitions_executor_id",
            ondelete="SET NULL",
        ),
    )
    op.create_index("ix_test_definitions_name", "test_definitions", ["name"])
    op.create_index("ix_test_definitions_executor_id", "test_definitions", ["executor_id"])


def _suites() -> None:
    _numbered(
        "test_suites",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("execution_mode", sa.String(32), nullable=False),
        sa.Column("stop_on_failure", sa.Boolean, nullable=False),
        *_documents("labels"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint(
            f"execution_mode IN ({MODES})", name=op.f("ck_test_suites_execution_mode")
        ),
    )
    op.create_table(
        "test_suite_members",
        sa.Column("suite_seq", BIG_ID, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("definition_seq", BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("suite_seq", "position", name="pk_test_suite_members"),
        sa.ForeignKeyConstraint(
            ["suite_seq"],
            ["test_suites.seq"],
            name="fk_test_suite_members_suite_seq",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["definition_seq"],
            ["test_definitions.seq"],
            name="fk_test_suite_members_definition_seq",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "ix_test_suite_members_definition_seq", "test_suite_members", ["definition_seq"]
    )
    _numbered(
        "test_suite_runs",
        sa.Column("suite_id", sa.CHAR(36), nullable=False),
        sa.Column("suite_name", sa.String(200), nullable=False),
        sa.Column("execution_mode", sa.String(32), nullable=False),
        sa.Column("stop_on_failure", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("cancel_requested_at", TIME),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint(
            f"execution_mode IN ({MODES})", name=op.f("ck_test_suite_runs_execution_mode")
        ),
    )
    op.create_index("ix_test_suite_runs_suite_id", "test_suite_runs", ["suite_id"])


def _runs() -> None:
    _numbered(
        "test_runs",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("status_reason", sa.Text),
        sa.Column("status_message", sa.Text),
        sa.Column("image", sa.Text, nullable=False),
        *_documents("commands", "entrypoint", "args", "env", "env_from", "resources"),
        sa.Column("service_account_name", sa.String(253)),
        *_documents("image_pull_secrets"),
        sa.Column("timeout_seconds", sa.Integer, nullable=False),
        sa.Column("ttl_seconds_after_finished", sa.Integer),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("job_name", sa.String(63), nullable=False),
        sa.Column("job_uid", sa.String(128)),
        sa.Column("test_definition_id", sa.CHAR(36)),
        sa.Column("definition_name", sa.String(200)),
        sa.Column("executor_id", sa.CHAR(36)),
        sa.Column("suite_run_id", sa.CHAR(36)),
        sa.Column("rerun_of", sa.CHAR(36)),
        *_documents("labels"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("finished_at", TIME),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("cancel_requested_at", TIME),
        sa.Column("failure", sa.Text),
        sa.Column("log_state", sa.String(32), nullable=False),
        sa.Column("log_reason", sa.Text),
        sa.Column("log_bytes", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint(f"status IN ({STATUSES})", name=op.f("ck_test_runs_status")),
        sa.CheckConstraint(
            "log_state IN ('complete', 'partial', 'none')", name=op.f("ck_test_runs_log_state")
        ),
    )
    for name, columns in (
        ("status", ["status", "seq"]),
        ("namespace", ["namespace", "seq"]),
        ("definition", ["test_definition_id", "seq"]),
        ("job", ["job_name"]),
        ("created", ["created_at"]),
        ("updated", ["updated_at"]),
        ("suite_run", ["suite_run_id"]),
    ):
        op.create_index(f"idx_test_runs_{name}", "test_runs", columns)


def _of_run(table: str, primary_key: list[str], *columns: sa.schema.SchemaItem) -> None:
    """Create a table whose rows are deleted with their run."""
    op.create_table(
        table,
        sa.Column("run_seq", BIG_ID, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint(*primary_key, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["run_seq"], ["test_runs.seq"], name=f"fk_{table}_run_seq", ondelete="CASCADE"
        ),
    )


def _labels_and_search_terms() -> None:
    _of_run(
        "test_run_labels",
        ["key", "value", "run_seq"],
        sa.Column("key", sa.String(253), nullable=False),
        sa.Column("value", sa.String(253), nullable=False),
    )
    op.create_index("idx_test_run_labels_run", "test_run_labels", ["run_seq"])
    _of_run("test_run_words", ["word", "run_seq"], sa.Column("word", WORD, nullable=False))
    op.create_index("idx_test_run_words_run", "test_run_words", ["run_seq"])


def _logs_and_tombstones() -> None:
    _of_run(
        "test_run_log_chunks",
        ["run_seq", "container", "start"],
        sa.Column("container", sa.String(63), nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "test_run_tombstones",
        sa.Column("id", sa.CHAR(36), nullable=False),
        sa.Column("deleted_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_test_run_tombstones"),
    )
