"""Find a run, or an object with a name, by id, by the first characters of an id, or by name."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sparktest.cli.exits import Exit, ExitError
from sparktest.client import ApiClient
from sparktest.client_resources import ResourceClient
from sparktest.domain import Definition, Executor, Run, Status
from sparktest.domain_schedules import Schedule
from sparktest.domain_suites import Suite, SuiteRun
from sparktest.times import format_age

FULL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
MIN_PREFIX = 4
MAX_LISTED = 5

# The kinds of objects with a unique name.
N = TypeVar("N", Definition, Executor, Suite, Schedule)
# Those with a name, which several runs may have.
T = TypeVar("T", Run, Definition, Executor, Suite, Schedule)
Found = TypeVar("Found", Run, Definition, Executor, Suite, Schedule, SuiteRun)


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
    return find(client.definitions, reference, "definition")


def schedule_id(client: ApiClient, reference: str) -> str:
    """Return the id of the schedule with this id prefix or name; a whole id as it is.

    Runs of a deleted schedule still have its id.

    Raises:
        ExitError: there is none, or more than one.
    """
    whole = FULL_ID.fullmatch(reference)
    return reference if whole else find(client.schedules, reference, "schedule").id


def suite_id(client: ApiClient, reference: str) -> str:
    """Return the id of the suite with this id prefix or name; a whole id as it is.

    Runs of a deleted suite still have its id.

    Raises:
        ExitError: there is none, or more than one.
    """
    whole = FULL_ID.fullmatch(reference)
    return reference if whole else find(client.suites, reference, "suite").id


def suite_run_id(client: ApiClient, reference: str) -> str:
    """Return the id of the suite run with this id prefix; a whole id as it is.

    Raises:
        ExitError: there is none, or more than one.
    """
    if FULL_ID.fullmatch(reference):
        return reference
    return _only(client.suite_runs.list_page(limit=1000).suite_runs, reference, "suite run").id


def find(calls: ResourceClient[N], reference: str, noun: str) -> N:
    """Return the object with this id, id prefix, or name; `noun` names its kind in errors.

    Raises:
        ExitError: there is none, or more than one.
    """
    if FULL_ID.fullmatch(reference):
        return calls.get(reference.lower())
    return _only(calls.list(), reference, noun)


def _only(candidates: Sequence[Found], reference: str, kind: str) -> Found:
    found = [value for value in candidates if _matches(value, reference)]
    if not found:
        key = "id" if kind == "suite run" else "id or name"
        raise ExitError(
            f"no {kind} has the {key} {reference!r} (at least {MIN_PREFIX} characters of an "
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


def _summary(value: Found, now: datetime) -> str:
    """Return `<id> (failed, 5m ago)`; only runs and suite runs have a status."""
    age = f"{format_age(now - value.created_at)} ago"
    status: Status | None = getattr(value, "status", None)
    shown = f"{status.value.replace('_', ' ')}, {age}" if status else age
    return f"{value.id} ({shown})"


def _matches(value: Found, reference: str) -> bool:
    by_id = len(reference) >= MIN_PREFIX and value.id.startswith(reference.lower())
    # A suite run has no name.
    return by_id or getattr(value, "name", None) == reference
