"""The linter of migrations finds statements that block writers."""

import pytest

from tests.migrations.linter import blocking


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ix_a ON test_runs (a)",
        "CREATE UNIQUE INDEX ix_a ON test_runs (a)",
        "ALTER TABLE test_runs ALTER COLUMN seq TYPE BIGINT",
        "ALTER TABLE test_runs ALTER COLUMN a SET NOT NULL",
        "ALTER TABLE test_runs ADD COLUMN a TEXT DEFAULT now() NOT NULL",
        "ALTER TABLE test_runs ADD COLUMN a TEXT NOT NULL",
        "ALTER TABLE test_runs ADD CONSTRAINT ck_a CHECK (a > 0)",
        "ALTER TABLE test_runs ADD CONSTRAINT uq_a UNIQUE (a)",
        "UPDATE test_runs SET a = 1",
        "DELETE FROM audit WHERE at < now()",
    ],
)
def test_a_statement_that_blocks_writers_is_found(statement):
    assert len(blocking([statement])) == 1
    assert len(blocking([statement.replace(" ", "\n  ")])) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY ix_a ON test_runs (a)",
        "CREATE INDEX ix_a ON test_definitions (a)",
        "ALTER TABLE test_runs ADD COLUMN IF NOT EXISTS a BOOLEAN DEFAULT false NOT NULL",
        "ALTER TABLE test_runs ADD COLUMN a CHAR(36)",
        "ALTER TABLE test_runs ADD CONSTRAINT ck_a CHECK (a > 0) NOT VALID",
        "ALTER TABLE test_runs VALIDATE CONSTRAINT ck_a",
        "ALTER TABLE test_runs DROP COLUMN a",
        "UPDATE test_runs SET a = 1 WHERE seq > 1 AND seq <= 500",
        "UPDATE alembic_version SET version_num='0004'",
    ],
)
def test_a_statement_that_does_not_block_is_allowed(statement):
    assert blocking([statement]) == []


def test_indexes_of_a_table_that_is_new_are_allowed():
    assert (
        blocking(["CREATE TABLE IF NOT EXISTS audit (at INT)", "CREATE INDEX i ON audit (at)"])
        == []
    )
