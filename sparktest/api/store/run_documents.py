"""Documents of runs as JSON that the database makes: a page is one text.

The fields come from `domain.Run`, as they do in `serializers`, which makes the same document of a
single row. A test compares both. Only the latter reads pod templates; where a run has one, or a git
repository, there is no text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

import msgspec
from sqlalchemy import CHAR, Connection, Integer

from sparktest.api.store.filter_sql import Dialect, Sql
from sparktest.api.store.run_tables import RunRow
from sparktest.api.store.runs import JSON_COLUMNS
from sparktest.api.store.tables import UtcTime
from sparktest.domain import Run, RunSpec, Status, WireStruct

# A pending run whose controller has been silent for longer has the reason WAITING_REASON.
CONTROLLER_TIMEOUT = timedelta(seconds=15)
WAITING_REASON = "WaitingForController"
# Fields of a run without a column of the same name.
DERIVED = frozenset(
    {"command", "containers", "job_created", "duration", "k8s_ref", "failure", "log"}
)
# Sent as null where there is no value: earlier clients expect these keys.
NULLABLE = frozenset({"test_definition_id", "executor_id", "started_at", "finished_at", "duration"})

Fields = tuple[tuple[str, str], ...]


@cache
def document_fields(struct: type[WireStruct], *, omit_none: bool) -> Fields:
    """Return pairs of JSON key and column, with the fields of the spec last."""
    pairs = [
        (field.encode_name, field.name)
        for field in msgspec.structs.fields(struct)
        if (field.default is None and field.name not in NULLABLE) == omit_none
    ]
    return tuple(sorted(pairs, key=lambda pair: pair[1] in RunSpec.__struct_fields__))


RUN_COLUMNS = tuple(
    pair for pair in document_fields(Run, omit_none=False) if pair[1] not in JSON_COLUMNS | DERIVED
)
RUN_JSON = tuple(
    pair for pair in document_fields(Run, omit_none=False) if pair[1] in JSON_COLUMNS - DERIVED
)
RUN_OPTIONAL = tuple(
    pair for pair in document_fields(Run, omit_none=True) if pair[1] not in DERIVED
)
_WAITING = ("status_reason", "status_message")
_ENUMS = ("status", "origin", "log_state")
_COLUMNS = RunRow.__table__.columns


@dataclass(frozen=True, slots=True)
class Page:
    """A page of runs.

    Attributes:
        text: the JSON array; None if a run of the page has a template or a git repository.
        oldest: the lowest number of its runs, None for an empty page.
        more: there are runs with lower numbers.
    """

    text: bytes | str | None
    oldest: int | None
    more: bool


def newest(connection: Connection, below: int, limit: int, now: datetime) -> Page:
    """Return the newest runs with numbers below `below`."""
    dialect = Dialect(connection.dialect.name)
    params = (*_times(dialect, now), below)
    text, oldest, special, more = connection.exec_driver_sql(
        _newest_statement(connection.dialect.name, limit), params
    ).one()
    return Page(None if special else text or "[]", oldest, more is not None)


def of_numbers(connection: Connection, seqs: Sequence[int], now: datetime) -> bytes | str | None:
    """Return the JSON array of the runs with these numbers, newest first; see `Page.text`."""
    dialect = Dialect(connection.dialect.name)
    text, special = connection.exec_driver_sql(
        _numbers_statement(connection.dialect.name), (*_times(dialect, now), dialect.numbers(seqs))
    ).one()
    return None if special else text or "[]"


def controller_hint(cluster: str | None) -> str:
    """Return the message that says which controller is missing and how to start one."""
    if cluster:
        silent = f"the controller of cluster {cluster} has not called the API for 15 s"
    else:
        silent = "no controller has called the API for 15 s"
    return f"{silent}; start one with: sparktest controller (or sparktest up)"


def _times(dialect: Dialect, now: datetime) -> tuple[Any, ...]:
    return (dialect.time(now - CONTROLLER_TIMEOUT),)


@lru_cache(maxsize=64)
def _newest_statement(database: str, limit: int) -> str:
    # The limit is no parameter: PostgreSQL would plan for a tenth of all runs, and plan every time.
    writer = _Writer(database)
    runs = f"{writer.select()} WHERE r.seq < ? ORDER BY r.seq DESC LIMIT {limit}"
    more = "(SELECT 1 FROM test_runs m WHERE m.seq < p.oldest LIMIT 1)"
    return writer.dialect.statement(
        f"SELECT p.docs, p.oldest, p.special, {more} FROM ("
        f"SELECT {writer.array()} AS docs, min(seq) AS oldest, max(special) AS special "
        f"FROM ({runs}) d) p"
    )


@cache
def _numbers_statement(database: str) -> str:
    writer = _Writer(database)
    runs = f"{writer.select()} WHERE r.seq {writer.dialect.in_numbers} ORDER BY r.seq DESC"
    return writer.dialect.statement(
        f"SELECT {writer.array()}, max(special) FROM ({runs} LIMIT 1000000) d"
    )


class _Writer:
    """Writes the expressions of a document for one database; `r` is the run."""

    def __init__(self, database: str) -> None:
        self.dialect = Dialect(database)

    def array(self) -> str:
        """Return the aggregate of the documents `doc`, in the order of the subquery."""
        if self.dialect.sqlite:
            # As bytes, which Python need not decode and encode again.
            return "CAST('[' || group_concat(doc, ',') || ']' AS blob)"
        return "'[' || string_agg(doc, ',' ORDER BY seq DESC) || ']'"

    def select(self) -> str:
        """Return SELECT and FROM for number, document, and whether it cannot be made here."""
        special = "CASE WHEN r.template = '{}' AND r.git = '{}' THEN 0 ELSE 1 END"
        return f"SELECT r.seq, {self.document()} AS doc, {special} AS special FROM test_runs r"

    def document(self) -> str:
        """Return the expression for the document of a run."""
        required = {key: self.value(column) for key, column in RUN_COLUMNS}
        required |= {key: f"r.{column}" for key, column in RUN_JSON}
        required |= {
            "command": self.command(),
            "containers": _quoted(msgspec.json.encode(_default("containers")).decode()),
            "jobCreated": "CASE WHEN r.job_uid IS NULL THEN 'false' ELSE 'true' END",
            "duration": self.duration(),
        }
        parts: list[str | Sql] = []
        for number, (key, expression) in enumerate(required.items()):
            parts += [f'{"," if number else "{"}"{key}":', Sql(expression)]
        parts += [',"log":{"state":', Sql(self.value("log_state")), ',"bytes":']
        parts += [Sql(self.value("log_bytes")), Sql(self.optional("reason", "log_reason")), "}"]
        parts += [
            Sql(self.optional(key, column))
            for key, column in RUN_OPTIONAL
            if column not in _WAITING
        ]
        parts += [Sql(self.waiting()), Sql(self.k8s_ref())]
        return self.joined([*parts, Sql(self.given("r.failure", "failure", "r.failure")), "}"])

    def joined(self, parts: Sequence[str | Sql]) -> str:
        """Return the expression for all parts in a row; each `||` would copy what is before it."""
        arguments = [part.text for part in parts if isinstance(part, Sql)]
        if self.dialect.sqlite:
            form = "".join("%s" if isinstance(part, Sql) else part for part in parts)
            return f"printf({_quoted(form)}, {', '.join(arguments)})"
        texts = [part.text if isinstance(part, Sql) else _quoted(part) for part in parts]
        return f"concat({', '.join(texts)})"

    def value(self, column: str) -> str:
        """Return the expression for the JSON value of a column; null for NULL."""
        kind, name = _COLUMNS[column].type, f"r.{column}"
        written = self.text(name)
        if isinstance(kind, UtcTime):
            written = self.time(name)
        elif isinstance(kind, Integer):
            written = f"CAST({name} AS text)"
        elif isinstance(kind, CHAR) or column in _ENUMS:
            # Nothing to escape: the id of an object, or a word of ours.
            written = f"'\"' || {name} || '\"'"
        return f"coalesce({written}, 'null')" if _COLUMNS[column].nullable else written

    def text(self, expression: str) -> str:
        """Return the expression for a JSON string; null for NULL."""
        if self.dialect.sqlite:
            return f"json_quote({expression})"
        return f"coalesce(CAST(to_json({expression}) AS text), 'null')"

    def time(self, name: str) -> str:
        """Return the expression for a time that is not NULL, as RFC 3339."""
        if self.dialect.sqlite:
            written = f"replace(replace({name}, ' ', 'T'), '.000000', '')"
            return f"'\"' || {written} || 'Z\"'"
        # The time zone of our connections is UTC.
        written = f'to_char({name}, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'
        return f"'\"' || replace({written}, '.000000Z', 'Z') || '\"'"

    def given(self, condition: str, key: str, expression: str) -> str:
        """Return the expression for an item that is left out where `condition` is NULL."""
        name = _quoted(',"' + key + '":')
        item = f"{name} || {expression}"
        return f"CASE WHEN {condition} IS NULL THEN '' ELSE {item} END"

    def optional(self, key: str, column: str) -> str:
        """Return the expression for a column that is left out where it is NULL."""
        return self.given(f"r.{column}", key, self.value(column))

    def command(self) -> str:
        """Return the expression for the command to show, of a run without a template."""
        both = "substr(r.entrypoint, 1, length(r.entrypoint) - 1) || ',' || substr(r.args, 2)"
        return (
            "CASE WHEN r.commands <> '[]' THEN r.commands WHEN r.entrypoint = '[]' THEN r.args "
            f"WHEN r.args = '[]' THEN r.entrypoint ELSE {both} END"
        )

    def duration(self) -> str:
        """Return the expression for the seconds between start and end; see `serializers`."""
        if self.dialect.sqlite:
            end, start = (
                f"CAST(strftime('%s', substr(r.{name}, 1, 19)) AS integer)"
                for name in ("finished_at", "started_at")
            )
            after, before = (f"substr(r.{name}, 21, 6)" for name in ("finished_at", "started_at"))
            is_whole, whole = f"{after} = {before}", f"{end} - {start}"
            micros = f"({end} - {start}) * 1000000 + {after} - {before}"
            seconds = f"max(({micros} + 500) / 1000, 1) / 1000.0"
        else:
            micros = "CAST(extract(epoch FROM r.finished_at - r.started_at) * 1000000 AS bigint)"
            is_whole, whole = f"{micros} % 1000000 = 0", f"{micros} / 1000000"
            seconds = f"round(greatest(({micros} + 500) / 1000, 1) / 1000.0, 3)"
        return (
            "CASE WHEN r.started_at IS NULL OR r.finished_at IS NULL THEN 'null' "
            f"WHEN {is_whole} THEN CAST({whole} AS text) ELSE CAST({seconds} AS text) END"
        )

    def k8s_ref(self) -> str:
        """Return the expression for the TestRun object."""
        namespace, name, uid = (
            self.text(f"r.k8s_ref_{key}") for key in ("namespace", "name", "uid")
        )
        ref = f"'{{\"namespace\":' || {namespace} || ',\"name\":' || {name}"
        ref = f"{ref} || {self.given('r.k8s_ref_uid', 'uid', uid)} || '}}'"
        return self.given("r.k8s_ref_name", "k8sRef", ref)

    def waiting(self) -> str:
        """Return the expression for what the run waits for: a controller, or what was reported."""
        last = (
            "CASE WHEN r.cluster IS NULL THEN (SELECT max(seen_at) FROM controllers) "
            "ELSE (SELECT s.seen_at FROM controllers s WHERE s.cluster = r.cluster) END"
        )
        before, after = (_quoted(text) for text in controller_hint("\n").split("\n"))
        own = self.text(f"{before} || r.cluster || {after}")
        none = _quoted(msgspec.json.encode(controller_hint(None)).decode())
        hint = f"CASE WHEN r.cluster IS NULL THEN {none} ELSE {own} END"
        reason = _quoted(f',"statusReason":"{WAITING_REASON}","statusMessage":')
        reported = [
            self.optional(key, column) for key, column in RUN_OPTIONAL if column in _WAITING
        ]
        return (
            f"CASE WHEN r.status = '{Status.PENDING}' AND r.job_uid IS NULL "
            "AND NOT r.blocked AND r.job_name <> '' "
            f"AND coalesce(({last}) < ?, {self.true()}) "
            f"THEN {reason} || {hint} ELSE {' || '.join(reported)} END"
        )

    def true(self) -> str:
        """Return the value of what is true."""
        return "1" if self.dialect.sqlite else "true"


def _default(field: str) -> Any:
    return next(one.default for one in msgspec.structs.fields(Run) if one.name == field)


def _quoted(text: str) -> str:
    """Return the text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
