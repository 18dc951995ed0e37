"""Due times of cron expressions in a time zone. Pure.

The rules are those of Debian's cron, as the library cronsim has them. Where both day of the month
and day of the week are restricted, either may match. When the clocks change:

- An expression with fixed minutes and hours (`30 2 * * *`) is due once a day: a time that the
  clocks skip moves to the first minute after the gap, and one that occurs twice counts the first
  time.
- If minutes or hours begin with `*` (`*/15 * * * *`), every real time that matches counts: an hour
  that occurs twice is due in both, and a skipped one is not due. (In a zone that skips midnight or
  changes by half an hour, cronsim may move or miss such a time on the day of the change.)
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from sparktest.errors import InvalidError

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
FIELDS = 5
MICROSECOND = timedelta(microseconds=1)
# An expression names no year: what is due once is due again.
ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
# Missed due times that are counted one by one: a week of every minute, in about 0.1 s.
MAX_COUNTED = 10_000


class Passed(NamedTuple):
    """Due times that have passed: the latest, the one before it, and how many are before it.

    `earlier` is at most `MAX_COUNTED`; `before` is None if it is 0.
    """

    latest: datetime
    before: datetime | None
    earlier: int


class Cron:
    """A cron expression in a time zone.

    Raises:
        InvalidError: the expression or the zone is wrong; the pointer is /cron or /timeZone.
    """

    def __init__(self, expression: str, time_zone: str) -> None:
        self._zone = zone(time_zone)
        self._expression = MACROS.get(expression.strip().lower(), expression)
        if len(self._expression.split()) != FIELDS:
            raise InvalidError.at(
                "/cron",
                f"{expression!r} must have {FIELDS} fields (minute, hour, day of the month, month, "
                f"day of the week) or be one of {', '.join(MACROS)}",
            )
        try:
            due = self.next_after(ANY_TIME)
        except CronSimError as error:
            raise InvalidError.at("/cron", f"{expression!r}: {error}") from error
        if due is None:
            raise InvalidError.at("/cron", f"{expression!r} is never due")

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first due time later than `after`, in UTC; None if none is within 50 years."""
        for due in self._iterate(after):
            # cronsim starts from the wall clock, so in an hour that occurs twice it may go back.
            if (in_utc := due.astimezone(UTC)) > after:
                return in_utc
        return None

    def passed(self, due: datetime, now: datetime) -> Passed:
        """Return the due times from `due`, which is one of them, until `now`."""
        latest, before, earlier = due, None, 0
        for each in self._iterate(due):
            in_utc = each.astimezone(UTC)
            if in_utc > now:
                break
            if in_utc > latest:
                latest, before, earlier = in_utc, latest, earlier + 1
            if earlier == MAX_COUNTED:
                latest = self._last_until(now)
                return Passed(latest, self._last_until(latest - MICROSECOND), earlier)
        return Passed(latest, before, earlier)

    def _last_until(self, now: datetime) -> datetime:
        """Return the last due time until `now`, by search from there backwards."""
        found = next(CronSim(self._expression, now.astimezone(self._zone), reverse=True))
        latest = found.astimezone(UTC)
        # Going backwards it may pass over one in an hour that occurs twice.
        while (following := self.next_after(latest)) and following <= now:
            latest = following
        return latest

    def _iterate(self, after: datetime) -> CronSim:
        return CronSim(self._expression, after.astimezone(self._zone))


def zone(name: str) -> tzinfo:
    """Return the IANA time zone of this name; raise InvalidError at /timeZone if there is none."""
    # Needs no data of zones.
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    # A key that is a folder, or not a relative path, is another error than an unknown one.
    except (KeyError, ValueError, OSError) as error:
        raise InvalidError.at(
            "/timeZone", f"{name!r} is not the name of a time zone, such as Europe/Berlin or UTC"
        ) from error
