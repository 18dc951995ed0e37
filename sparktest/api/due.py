"""What a schedule does at a time: which due time it starts, and which it has missed. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sparktest.api.cron import Cron

Columns = dict[str, Any]


class Decision(NamedTuple):
    """What a schedule does now.

    Attributes:
        start: the due time whose run is to be started; None if it is too late for all of them.
        missed: the number of due times that are not started.
        last_missed_at: the latest of these.
        next_run_at: the next due time.
    """

    start: datetime | None
    missed: int
    last_missed_at: datetime | None
    next_run_at: datetime | None


def decide(schedule: Mapping[str, Any], now: datetime) -> Decision:
    """Return what a schedule does, whose `next_run_at` has passed.

    As in a CronJob of Kubernetes, only the latest due time is started, if now is within the
    starting deadline; without a deadline it is never too late.

    Raises:
        InvalidError: this API does not know the time zone.
    """
    cron = Cron(schedule["cron"], schedule["time_zone"])
    passed = cron.passed(schedule["next_run_at"], now)
    following = cron.next_after(now)
    deadline = schedule["starting_deadline_seconds"]
    if deadline is None or now - passed.latest <= timedelta(seconds=deadline):
        return Decision(passed.latest, passed.earlier, passed.before, following)
    return Decision(None, passed.earlier + 1, passed.latest, following)


def skip(decision: Decision) -> Decision:
    """Return the decision of a schedule that cannot start now: the due time is missed."""
    return decision._replace(start=None, missed=decision.missed + 1, last_missed_at=decision.start)


def next_run_at(schedule: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return the next due time of a new or changed schedule; None if it is not enabled.

    A due time that was started before is not due again, also when the clock was set back.

    Raises:
        InvalidError: the expression or the time zone is wrong.
    """
    cron = Cron(schedule["cron"], schedule["time_zone"])
    last = schedule.get("last_run_at") or now
    return cron.next_after(max(now, last)) if schedule["enabled"] else None


def columns(schedule: Mapping[str, Any], decision: Decision) -> Columns:
    """Return the columns that the decision changes, but for those of the last run."""
    return {
        "next_run_at": decision.next_run_at,
        "missed_runs": schedule["missed_runs"] + decision.missed,
        "last_missed_at": decision.last_missed_at or schedule["last_missed_at"],
        "version": schedule["version"] + 1,
    }
