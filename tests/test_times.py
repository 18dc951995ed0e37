from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sparktest.times import format_age, format_duration, format_time, parse_time


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "<1s"),
        (0, "<1s"),
        (0.004, "<0.1s"),
        (0.42, "0.4s"),
        (0.97, "1s"),
        (12, "12s"),
        (59.7, "1m00s"),
        (72, "1m12s"),
        (7500, "2h05m"),
        (273_600, "3d04h"),
    ],
)
def test_durations_are_formatted_like_those_of_kubectl(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-9, "0s"), (5.9, "5s"), (720, "12m"), (10_800, "3h"), (400_000, "4d")]
)
def test_ages_have_one_unit(seconds: float, text: str) -> None:
    assert format_age(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.250Z", datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)),
        ("2026-01-02T05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_a_time_is_converted_to_utc_and_keeps_its_digits(text: str, time: datetime) -> None:
    assert parse_time(text) == time
    parsed = parse_time(text)
    assert parsed is not None
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "value", [None, 5, "", "yesterday", "2026-01-02T03:04:05", "0001-01-01T00:00:00Z", {}]
)
def test_anything_else_is_none(value: Any) -> None:
    assert parse_time(value) is None


def test_a_time_after_the_last_year_in_utc_is_none() -> None:
    assert parse_time("9999-12-31T23:59:59-01:00") is None


def test_a_time_is_formatted_in_utc_and_whole_seconds() -> None:
    at = datetime.fromisoformat("2026-11-24T13:00:00.987+01:00")
    assert format_time(at) == "2026-11-24T12:00:00Z"
