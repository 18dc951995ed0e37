"""Objects with a unique name in the store: definitions, executors, suites, schedules."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from sparktest.api.store.engine import Row, dialect_insert, fetch_all
from sparktest.api.store.tables import DefinitionRow, ExecutorRow, ScheduleRow


class ResourceTable:
    """The table of one kind of object; every row has a unique name.

    Args:
        row: a class with EntityColumns and the column `name`.
    """

    def __init__(self, row: type[Any]) -> None:
        self.row = row
        self.columns = tuple(row.__table__.columns)

    def page(
        self, connection: Connection, q: str | None, below: int | None, limit: int
    ) -> Sequence[Row]:
        """Return at most `limit` rows with `seq` below `below`, newest first.

        `q` is a part of the name.
        """
        query = self._select().order_by(self.row.seq.desc()).limit(limit)
        if q:
            query = query.where(func.lower(self.row.name).contains(q.lower(), autoescape=True))
        if below is not None:
            query = query.where(self.row.seq < below)
        return self._rows(connection, query)

    def find(self, connection: Connection, key: str) -> Row | None:
        """Return the row with this id, None if there is none."""
        return self._first(connection, self._select().where(self.row.id == key))

    def find_named(self, connection: Connection, name: str) -> Row | None:
        """Return the row of this name, None if there is none."""
        return self._first(connection, self._select().where(self.row.name == name))

    def lock(self, connection: Connection, key: str) -> Row | None:
        """Return the row with this id, locked until the transaction ends; None if there is none."""
        # SQLite ignores FOR UPDATE: its writing transactions are serial anyway.
        return self._first(connection, self._select().where(self.row.id == key).with_for_update())

    def refer(self, connection: Connection, key: str) -> Row | None:
        """Return the row to refer to: it cannot be deleted until the transaction ends.

        None if there is none.
        """
        query = self._select().where(self.row.id == key)
        return self._first(connection, query.with_for_update(read=True, key_share=True))

    def add(self, connection: Connection, row: Mapping[str, Any]) -> int | None:
        """Store a new row and return its `seq`; None when the name is taken."""
        # The unique index decides between concurrent requests: the second insert waits until the
        # first has committed.
        added = dialect_insert(connection, self.row).values(**self._own(row))
        added = added.on_conflict_do_nothing(index_elements=["name"])
        return connection.execute(added.returning(self.row.seq)).scalar()

    def change(self, connection: Connection, row: Mapping[str, Any]) -> bool:
        """Set all columns of a locked row, except its id; return False when the name is taken."""
        values = {
            name: value for name, value in self._own(row).items() if name not in ("seq", "id")
        }
        try:
            # After an error, PostgreSQL goes on only from a savepoint.
            with connection.begin_nested():
                connection.execute(
                    update(self.row).where(self.row.id == row["id"]).values(**values)
                )
        except IntegrityError:
            if self.find_named(connection, row["name"]) is None:
                raise
            return False
        return True

    def remove(self, connection: Connection, key: str) -> None:
        """Delete the row, which the caller has locked."""
        connection.execute(delete(self.row).where(self.row.id == key))

    def _rows(self, connection: Connection, query: Select[Any]) -> Sequence[Row]:
        return fetch_all(connection, query)

    def _first(self, connection: Connection, query: Select[Any]) -> Row | None:
        return next(iter(self._rows(connection, query)), None)

    def _select(self) -> Select[Any]:
        return select(*self.columns)

    def _own(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {column.name: row[column.name] for column in self.columns if column.name in row}


DEFINITIONS = ResourceTable(DefinitionRow)
EXECUTORS = ResourceTable(ExecutorRow)
SCHEDULES = ResourceTable(ScheduleRow)


def names_of_definitions(connection: Connection, executor_id: str, limit: int) -> Sequence[str]:
    """Return the names of at most `limit` definitions of the executor, newest first."""
    query = select(DefinitionRow.name).where(DefinitionRow.executor_id == executor_id)
    return connection.execute(query.order_by(DefinitionRow.seq.desc()).limit(limit)).scalars().all()
