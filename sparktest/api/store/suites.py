"""Suites in the store, and the definitions that are in them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from sparktest.api.store.engine import Row
from sparktest.api.store.resources import ResourceTable
from sparktest.api.store.tables import DefinitionRow, SuiteMemberRow, SuiteRow


class SuiteTable(ResourceTable):
    """The table of suites; a row also has `test_definition_ids`, in the order of the suite."""

    def add(self, connection: Connection, row: Mapping[str, Any]) -> int | None:
        """Store a new suite with its members; return its `seq`, None when the name is taken."""
        seq = super().add(connection, row)
        if seq is not None:
            _add_members(connection, seq, row["test_definition_ids"])
        return seq

    def change(self, connection: Connection, row: Mapping[str, Any]) -> bool:
        """Set all columns and members of a locked suite; return False when the name is taken."""
        if not super().change(connection, row):
            return False
        members = delete(SuiteMemberRow).where(SuiteMemberRow.suite_seq == row["seq"])
        connection.execute(members)
        _add_members(connection, row["seq"], row["test_definition_ids"])
        return True

    def _rows(self, connection: Connection, query: Select[Any]) -> Sequence[Row]:
        rows = super()._rows(connection, query)
        members = _members(connection, [row["seq"] for row in rows])
        return [{**row, "test_definition_ids": members[row["seq"]]} for row in rows]


SUITES = SuiteTable(SuiteRow)


def definition_seqs(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return the `seq` of each definition; it cannot be deleted until the transaction ends.

    An id that does not exist is missing.
    """
    query = select(DefinitionRow.id, DefinitionRow.seq).where(DefinitionRow.id.in_(set(ids)))
    query = query.order_by(DefinitionRow.seq).with_for_update(read=True, key_share=True)
    return {row.id: row.seq for row in connection.execute(query)}


def increment_versions(connection: Connection, definition_seq: int) -> None:
    """Give a new version to all suites of a definition, which is about to be deleted."""
    member = select(SuiteMemberRow.suite_seq).where(SuiteMemberRow.definition_seq == definition_seq)
    connection.execute(
        update(SuiteRow).where(SuiteRow.seq.in_(member)).values(version=SuiteRow.version + 1)
    )


def _add_members(connection: Connection, suite_seq: int, ids: Sequence[str]) -> None:
    seqs = definition_seqs(connection, ids)
    rows = [
        {"suite_seq": suite_seq, "position": position, "definition_seq": seqs[each]}
        for position, each in enumerate(ids)
    ]
    if rows:
        connection.execute(insert(SuiteMemberRow), rows)


def _members(connection: Connection, suite_seqs: Sequence[int]) -> dict[int, list[str]]:
    members: dict[int, list[str]] = defaultdict(list)
    query = (
        select(SuiteMemberRow.suite_seq, DefinitionRow.id)
        .join(DefinitionRow, DefinitionRow.seq == SuiteMemberRow.definition_seq)
        .where(SuiteMemberRow.suite_seq.in_(suite_seqs))
        .order_by(SuiteMemberRow.suite_seq, SuiteMemberRow.position)
    )
    for row in connection.execute(query):
        members[row.suite_seq].append(row.id)
    return members
