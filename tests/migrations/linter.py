"""Finds the statements that block the writers of a filled PostgreSQL table. Pure."""

import re
from collections.abc import Sequence

# Their rows are few: a lock of some milliseconds does not matter.
SMALL_TABLES = {
    "alembic_version",
    "controllers",
    "test_definitions",
    "test_executors",
    "test_schedules",
    "test_suite_members",
    "test_suites",
    "tokens",
}
CREATE_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)")
CREATE_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY ).*? ON (\w+)")
ALTER_TABLE = re.compile(r"ALTER TABLE (\w+) (.*)")
CHANGE_ROWS = re.compile(r"(?:UPDATE|DELETE FROM) (\w+)(.*)")
FORBIDDEN = {
    r"ALTER COLUMN \w+ (SET DATA )?TYPE": "may rewrite the table",
    r"ALTER COLUMN \w+ SET NOT NULL": "reads the table under a lock",
    r"ADD COLUMN .* DEFAULT .*\(": "a default that is no constant rewrites the table",
    r"ADD COLUMN (?!.* DEFAULT ).* NOT NULL": "has no default",
    r"ADD CONSTRAINT (?!.*NOT VALID)(?!.*USING INDEX)": "needs NOT VALID, or USING INDEX",
}


def blocking(statements: Sequence[str]) -> list[str]:
    """Return a message for each statement that blocks writers, in order."""
    new: set[str] = set()
    messages = []
    for statement in (" ".join(raw.split()) for raw in statements):
        new.update(CREATE_TABLE.findall(statement))
        problem = _problem(statement, SMALL_TABLES | new)
        if problem:
            messages.append(f"{problem}: {statement}")
    return messages


def _problem(statement: str, small: set[str]) -> str | None:
    if (index := CREATE_INDEX.match(statement)) and index[1] not in small:
        return "needs CONCURRENTLY (migrations.online.create_index)"
    if (rows := CHANGE_ROWS.match(statement)) and rows[1] not in small and "seq <= " not in rows[2]:
        return "needs small transactions (migrations.online.backfill)"
    if (alter := ALTER_TABLE.match(statement)) and alter[1] not in small:
        return next((why for rule, why in FORBIDDEN.items() if re.search(rule, alter[2])), None)
    return None
