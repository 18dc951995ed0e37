"""Schedules as they travel in JSON; see sparktest.domain."""

from datetime import datetime
from enum import StrEnum

from sparktest.domain import Id, WireStruct


class Concurrency(StrEnum):
    """What a schedule does while an earlier run of it has not ended.

    Start another one, skip the due time, or cancel the earlier run and start another one.
    """

    ALLOW = "allow"
    FORBID = "forbid"
    REPLACE = "replace"


class Schedule(WireStruct, frozen=True, kw_only=True):
    """Times at which a definition or a suite is started; exactly one of the two ids is set.

    `next_run_at` is the next due time, None if the schedule is not enabled. `last_run_at` is the
    due time of the last run, or the time at which it was started by hand, and `last_run_id` the id
    of this run or suite run. Due times that were not started are counted in `missed_runs`.
    """

    id: Id
    name: str
    created_at: datetime
    description: str = ""
    definition_id: Id | None = None
    suite_id: Id | None = None
    cron: str
    time_zone: str = "UTC"
    concurrency: Concurrency = Concurrency.ALLOW
    starting_deadline_seconds: int | None = None
    enabled: bool = True
    next_run_at: datetime | None = None
    last_run_at: datetime | None = None
    last_run_id: Id | None = None
    missed_runs: int = 0
    last_missed_at: datetime | None = None
    version: int = 1


class DueTimes(WireStruct, frozen=True, omit_defaults=False):
    """The next due times of a schedule."""

    times: tuple[datetime, ...]
