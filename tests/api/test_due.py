"""What a schedule does at a time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.api.due import Decision, columns, decide, next_run_at, skip
from sparktest.errors import InvalidError


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-05-01T{text}Z")


def schedule(**fields):
    row = {
        "cron": "*/10 * * * *",
        "time_zone": "UTC",
        "enabled": True,
        "starting_deadline_seconds": None,
        "next_run_at": at("12:00:00"),
        "last_run_at": None,
        "missed_runs": 2,
        "last_missed_at": None,
        "version": 7,
    }
    return row | fields


class TestDecide:
    def test_a_due_time_is_started_at_once(self):
        decision = decide(schedule(), at("12:00:00"))
        assert decision == Decision(at("12:00:00"), 0, None, at("12:10:00"))

    def test_of_several_only_the_latest_is_started(self):
        decision = decide(schedule(), at("12:35:00"))
        assert decision == Decision(at("12:30:00"), 3, at("12:20:00"), at("12:40:00"))

    @pytest.mark.parametrize(("deadline", "started"), [(300, True), (299, False)])
    def test_beyond_the_starting_deadline_nothing_is_started(self, deadline, started):
        late = schedule(starting_deadline_seconds=deadline)
        decision = decide(late, at("12:35:00"))
        if started:
            assert decision == Decision(at("12:30:00"), 3, at("12:20:00"), at("12:40:00"))
        else:
            assert decision == Decision(None, 4, at("12:30:00"), at("12:40:00"))

    @given(st.integers(0, 10**6), st.none() | st.integers(1, 10**6))
    def test_every_due_time_is_started_or_counted_once(self, seconds, deadline):
        row = schedule(starting_deadline_seconds=deadline)
        now = row["next_run_at"] + timedelta(seconds=seconds)
        decision = decide(row, now)
        assert (decision.start is not None) + decision.missed == seconds // 600 + 1
        assert decision.next_run_at is not None
        assert now < decision.next_run_at <= now + timedelta(minutes=10)

    def test_a_skipped_start_is_missed(self):
        decision = skip(decide(schedule(), at("12:35:00")))
        assert decision == Decision(None, 4, at("12:30:00"), at("12:40:00"))

    def test_an_unknown_zone_is_an_error(self):
        with pytest.raises(InvalidError, match="/timeZone"):
            decide(schedule(time_zone="Mars/Olympus"), at("12:00:00"))


class TestNextRunAt:
    def test_it_is_later_than_now(self):
        assert next_run_at(schedule(), at("12:10:00")) == at("12:20:00")

    def test_a_schedule_that_is_not_enabled_has_none(self):
        assert next_run_at(schedule(enabled=False), at("12:10:00")) is None

    def test_a_time_that_was_started_is_not_due_again_when_the_clock_goes_back(self):
        started = schedule(last_run_at=at("12:20:00"))
        assert next_run_at(started, at("12:05:00")) == at("12:30:00")


class TestColumns:
    def test_missed_times_are_added_up(self):
        decision = Decision(None, 4, at("12:30:00"), at("12:40:00"))
        assert columns(schedule(), decision) == {
            "next_run_at": at("12:40:00"),
            "missed_runs": 6,
            "last_missed_at": at("12:30:00"),
            "version": 8,
        }

    def test_the_last_missed_time_stays_when_none_is_missed(self):
        row = schedule(last_missed_at=datetime(2025, 1, 1, tzinfo=UTC))
        decision = Decision(at("12:00:00"), 0, None, at("12:10:00"))
        assert columns(row, decision)["last_missed_at"] == row["last_missed_at"]
