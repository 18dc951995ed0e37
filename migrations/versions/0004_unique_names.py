"""Make the names of definitions, executors and suites unique; a duplicate gets a number."""

from collections.abc import Iterator
from itertools import count

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("test_definitions", "test_executors", "test_suites")
MAX_NAME_LENGTH = 200


def upgrade() -> None:
    """Rename duplicates: of two called smoke, the newer one becomes `smoke (2)`."""
    for table in TABLES:
        _rename_duplicates(table)
    op.drop_index("ix_test_definitions_name", "test_definitions")
    for table in TABLES:
        op.create_index(f"ix_{table}_name", table, ["name"], unique=True)


def downgrade() -> None:
    """Allow duplicates again; the names stay."""
    for table in TABLES:
        op.drop_index(f"ix_{table}_name", table)
    op.create_index("ix_test_definitions_name", "test_definitions", ["name"])


def _rename_duplicates(name: str) -> None:
    table = sa.table(name, sa.column("seq", sa.BigInteger), sa.column("name", sa.String))
    connection = op.get_bind()
    rows = connection.execute(sa.select(table.c.seq, table.c.name).order_by(table.c.seq)).all()
    taken = {row.name for row in rows}
    seen: set[str] = set()
    for seq, old in rows:
        new = old
        if old in seen:
            new = next(free for free in _numbered(old) if free not in taken)
            connection.execute(sa.update(table).where(table.c.seq == seq).values(name=new))
        seen.add(new)
        taken.add(new)


def _numbered(name: str) -> Iterator[str]:
    for number in count(2):
        suffix = f" ({number})"
        yield name[: MAX_NAME_LENGTH - len(suffix)] + suffix
