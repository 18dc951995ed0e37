"""Times of the dev cluster."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sparktest.devcluster.clock import NEVER, Clock, deadline
from sparktest.times import format_time


def test_times_are_written_in_utc_and_whole_seconds() -> None:
    moment = datetime(2026, 1, 1, 1, 0, 0, 999999, timezone(timedelta(hours=1)))
    assert format_time(moment) == "2026-01-01T00:00:00Z"


def test_a_measured_time_is_written_like_the_current_one() -> None:
    assert Clock().timestamp_of(0.9) == "1970-01-01T00:00:00Z"
    assert Clock().now().tzinfo is UTC


def test_a_deadline_is_a_number_of_seconds_after_a_time() -> None:
    assert deadline("2026-01-01T00:00:00Z", 90) == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(("start", "seconds"), [("soon", 1), ("2026-01-01T00:00:00Z", 10**12)])
def test_an_invalid_or_too_late_deadline_never_expires(start: str, seconds: int) -> None:
    assert deadline(start, seconds) == NEVER
