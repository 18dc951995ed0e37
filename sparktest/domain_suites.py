"""Suites and their executions as frozen values, as they travel in JSON. Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from sparktest.domain import Id, Run, Status, WireStruct

MAX_SUITE_LENGTH = 500


class ExecutionMode(StrEnum):
    """Order in which a suite runs its definitions: one after the other, or all at once."""

    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"


class Suite(WireStruct, frozen=True, kw_only=True):
    """An ordered set of definitions, in which a definition may occur several times.

    With `stop_on_failure`, a sequential suite cancels the rest when a run does not succeed.
    """

    id: Id
    name: str
    created_at: datetime
    description: str = ""
    execution_mode: ExecutionMode = ExecutionMode.SEQUENTIAL
    stop_on_failure: bool = False
    labels: tuple[str, ...] = ()
    test_definition_ids: tuple[Id, ...] = ()
    version: int = 1


class SuiteRun(WireStruct, frozen=True, kw_only=True):
    """One execution of a suite; name, mode and `stop_on_failure` are a snapshot.

    `counts` has the number of runs by status, also of runs that were deleted since. `runs` are
    those that still exist, in the order of the suite; a list of suite runs does not have them.
    `message` is set in the answer to the start.
    """

    id: Id
    suite_id: Id
    suite_name: str
    execution_mode: ExecutionMode
    stop_on_failure: bool
    status: Status
    counts: dict[Status, int]
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    schedule_id: Id | None = None
    runs: tuple[Run, ...] | None = None
    message: str | None = None
    version: int = 1


class SuiteRunPage(WireStruct, frozen=True, kw_only=True):
    """A page of suite runs, newest first; `next` is the cursor of the next, None at the end."""

    suite_runs: tuple[SuiteRun, ...]
    next: str | None = None


def suite_status(counts: Mapping[str, int]) -> Status:
    """Return the status of a suite run from the number of its runs in each status.

    A run that did not succeed decides, a failure before a cancellation.
    """
    present = {Status(status) for status, count in counts.items() if count}
    if any(not status.final for status in present):
        return Status.PENDING if present == {Status.PENDING} else Status.RUNNING
    if present & {Status.FAILED, Status.TIMED_OUT}:
        return Status.FAILED
    return Status.CANCELLED if Status.CANCELLED in present else Status.SUCCEEDED


def moved(counts: Mapping[str, int], before: str, after: str) -> dict[str, int]:
    """Return the counts after a run has gone from one status to another."""
    changed = {**counts, before: counts.get(before, 0) - 1}
    changed[after] = changed.get(after, 0) + 1
    return {status: count for status, count in changed.items() if count}
