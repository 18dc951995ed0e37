"""Find a run or definition by id, by the first characters of an id, or by name."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sparktest.cli.exits import Exit, ExitError
from sparktest.client import ApiClient
from sparktest.domain import Definition, Run
from sparktest.times import format_age

FULL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
MIN_PREFIX = 4
MAX_LISTED = 5

T = TypeVar("T", Run, Definition)


def find_run(client: ApiClient, reference: str) -> Run:
    """Return the run with this id, id prefix, or name.

    Raises:
        ExitError: there is none, or more than one.
    """
    if FULL_ID.fullmatch(reference):
        return client.get_run(reference.lower())
    return _only(client.list_runs(q=reference, limit=1000).runs, reference, "run")


def find_definition(client: ApiClient, reference: str) -> Definition:
    """Return the definition with this id, id prefix, or name.

    Raises:
        ExitError: there is none, or more than one.
    """
    if FULL_ID.fullmatch(reference):
        return client.definitions.get(reference.lower())
    return _only(client.definitions.list(), reference, "definition")


def _only(candidates: Sequence[T], reference: str, kind: str) -> T:
    found = [value for value in candidates if _matches(value, reference)]
    if not found:
        raise ExitError(
            f"no {kind} has the id or name {reference!r} (at least {MIN_PREFIX} characters of an "
            "id are needed)",
            Exit.USAGE,
        )
    if len(found) > 1:
        now = datetime.now(UTC)
        listed = ", ".join(_summary(value, now) for value in found[:MAX_LISTED])
        more = f" and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
        raise ExitError(
            f"{reference!r} matches {len(found)} {kind}s: {listed}{more}; "
            "give more characters of the id",
            Exit.USAGE,
        )
    return found[0]


def _summary(value: Run | Definition, now: datetime) -> str:
    """Return `<id> (failed, 5m ago)`; a definition has no status."""
    age = f"{format_age((now - value.created_at).total_seconds())} ago"
    status = f"{value.status.value.replace('_', ' ')}, " if isinstance(value, Run) else ""
    return f"{value.id} ({status}{age})"


def _matches(value: Run | Definition, reference: str) -> bool:
    by_id = len(reference) >= MIN_PREFIX and value.id.startswith(reference.lower())
    return by_id or value.name == reference
