"""Due times of cron expressions, in zones whose clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.api.cron import MAX_COUNTED, Cron, Passed
from sparktest.errors import InvalidError

# The local dates of the days on which the clocks of a zone change.
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Sydney": ("2026-04-05", "2026-10-04"),
}
# These skip or repeat midnight, half an hour, or a whole day.
UNUSUAL = {
    "America/Santiago": ("2026-04-05", "2026-09-06"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "Pacific/Apia": ("2011-12-30",),
    "UTC": ("2026-03-29",),
}
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def days_of(zone: str, *dates: str) -> list[datetime]:
    """Return the beginning of each day in UTC."""
    return [datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)) for day in dates]


def due_times(cron: Cron, after: datetime, until: datetime) -> list[datetime]:
    found = []
    while (due := cron.next_after(after)) and due <= until:
        found.append(due)
        after = due
    return found


def numbers(below: int) -> st.SearchStrategy[str]:
    some = st.lists(st.integers(0, below - 1), min_size=1, max_size=3)
    return some.map(lambda values: ",".join(map(str, values)))


FIXED = st.builds("{} {} * * *".format, numbers(60), numbers(24))
STEPS = st.sampled_from(["*", "*/7", "*/15", "*/30"])
BY_MINUTE = st.builds("{} {} * * *".format, STEPS, st.one_of(numbers(24), st.just("*/2")))
BY_HOUR = st.builds("{} {} * * *".format, numbers(60), st.sampled_from(["*", "*/2", "*/3"]))
DAYS = st.sampled_from([(zone, day) for zone, days in CHANGES.items() for day in days])
ALL = CHANGES | UNUSUAL
ALL_DAYS = st.sampled_from([(zone, day) for zone, days in ALL.items() for day in days])


class TestDueTimes:
    @pytest.mark.parametrize(
        ("zone", "day", "expected"),
        [
            ("Europe/Berlin", "2026-03-29", ["2026-03-29T03:00:00+02:00"]),
            ("Europe/Berlin", "2026-10-25", ["2026-10-25T02:30:00+02:00"]),
            ("America/New_York", "2026-03-08", ["2026-03-08T03:00:00-04:00"]),
            ("America/New_York", "2026-11-01", ["2026-11-01T02:30:00-05:00"]),
            ("Australia/Sydney", "2026-10-04", ["2026-10-04T03:00:00+11:00"]),
            ("Australia/Sydney", "2026-04-05", ["2026-04-05T02:30:00+11:00"]),
            ("Asia/Kathmandu", "2026-03-29", ["2026-03-29T02:30:00+05:45"]),
        ],
    )
    def test_a_fixed_time_is_due_once_a_day_whatever_the_clocks_do(self, zone, day, expected):
        (start,) = days_of(zone, day)
        found = due_times(Cron("30 2 * * *", zone), start, start + timedelta(hours=23))
        assert found == [at(time) for time in expected]

    def test_a_time_in_the_hour_that_occurs_twice_is_not_due_again_in_the_second(self):
        second = at("2026-10-25T02:10:00+01:00")
        cron = Cron("30 2 * * *", "Europe/Berlin")
        assert cron.next_after(second) == at("2026-10-26T02:30:00+01:00")

    @pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
    def test_every_real_hour_is_due_with_a_star(self, day, hours):
        start, end = days_of("Europe/Berlin", day, day)
        end += timedelta(days=1)
        cron = Cron("0 * * * *", "Europe/Berlin")
        assert len(due_times(cron, start.astimezone(UTC) - MINUTE, end - MINUTE)) == hours

    def test_midnight_that_is_skipped_moves_to_the_end_of_the_gap(self):
        cron = Cron("0 0 * * *", "America/Santiago")
        assert cron.next_after(at("2026-09-05T12:00:00Z")) == at("2026-09-06T01:00:00-03:00")

    def test_either_day_may_match_when_both_are_given(self):
        cron = Cron("0 0 13 * FRI", "UTC")
        found = due_times(cron, at("2026-11-01T00:00:00Z"), at("2026-11-30T00:00:00Z"))
        assert [due.day for due in found] == [6, 13, 20, 27]

    def test_a_macro_is_a_short_form(self):
        now = at("2026-05-01T12:34:56Z")
        assert Cron("@Hourly", "UTC").next_after(now) == at("2026-05-01T13:00:00Z")
        assert Cron(" @daily ", "UTC").next_after(now) == at("2026-05-02T00:00:00Z")

    @given(DAYS, st.one_of(BY_MINUTE, BY_HOUR), st.integers(0, 24 * 60))
    def test_with_a_star_exactly_the_matching_real_minutes_are_due(self, change, text, offset):
        zone, day = change
        start = days_of(zone, day)[0].astimezone(UTC) + offset * MINUTE
        end = start + timedelta(hours=6)
        # Without daylight saving time, cronsim has no rules: it is the reference for one minute.
        plain = Cron(text, "UTC")

        def matches(moment: datetime) -> bool:
            wall = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC, fold=0)
            return plain.next_after(wall - MINUTE) == wall

        minutes = [start + n * MINUTE for n in range(1, 6 * 60 + 1)]
        assert due_times(Cron(text, zone), start, end) == list(filter(matches, minutes))

    @given(ALL_DAYS, FIXED)
    def test_each_fixed_time_of_a_day_is_due_exactly_once(self, change, text):
        zone, day = change
        start = days_of(zone, day)[0] - timedelta(days=2)
        walls = due_times(
            Cron(text, "UTC"),
            start.replace(tzinfo=UTC),
            start.replace(tzinfo=UTC) + timedelta(days=4),
        )
        expected = set()
        for wall in walls:
            local = wall.replace(tzinfo=ZoneInfo(zone))
            while local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(
                tzinfo=None
            ) != local.replace(tzinfo=None):
                local += MINUTE
            expected.add(local.astimezone(UTC))
        end = max(expected)
        assert due_times(Cron(text, zone), start.astimezone(UTC), end) == sorted(expected)

    @given(
        ALL_DAYS,
        st.one_of(FIXED, BY_MINUTE, BY_HOUR),
        st.integers(-2 * 86_400, 2 * 86_400),
        st.integers(0, 5 * 3600),
    )
    def test_the_next_is_later_and_no_other_is_in_between(self, change, text, offset, step):
        zone, day = change
        cron = Cron(text, zone)
        after = days_of(zone, day)[0].astimezone(UTC) + timedelta(seconds=offset)
        due = cron.next_after(after)
        assert due is not None
        assert due > after
        # From any later time before it, the answer is the same one.
        if zone != "Australia/Lord_Howe":
            between = min(after + timedelta(seconds=step), due - timedelta(seconds=1))
            assert cron.next_after(between) == due


class TestPassed:
    def test_the_latest_the_one_before_and_the_number_of_those(self):
        cron = Cron("*/10 * * * *", "UTC")
        due, now = at("2026-05-01T12:00:00Z"), at("2026-05-01T12:39:59Z")
        latest, before = at("2026-05-01T12:30:00Z"), at("2026-05-01T12:20:00Z")
        assert cron.passed(due, due) == Passed(due, None, 0)
        assert cron.passed(due, now) == Passed(latest, before, 3)

    def test_a_long_time_is_not_counted_to_its_end(self):
        cron = Cron("* * * * *", "Europe/Berlin")
        due, now = at("2020-05-01T12:00:00Z"), at("2026-10-25T02:59:30+01:00")
        latest, before = at("2026-10-25T02:59:00+01:00"), at("2026-10-25T02:58:00+01:00")
        assert cron.passed(due, now) == Passed(latest, before, MAX_COUNTED)

    @given(ALL_DAYS, st.one_of(FIXED, BY_MINUTE, BY_HOUR), st.integers(0, 3 * 86_400))
    def test_none_is_lost_and_the_next_is_later_than_now(self, change, text, seconds):
        zone, day = change
        cron = Cron(text, zone)
        start = days_of(zone, day)[0].astimezone(UTC) - timedelta(days=1)
        due = cron.next_after(start)
        assert due is not None
        now = due + timedelta(seconds=seconds)
        *others, latest = due_times(cron, start, now)
        before = others[-1] if others else None
        assert cron.passed(due, now) == Passed(latest, before, len(others))


class TestErrors:
    @pytest.mark.parametrize(
        ("expression", "words"),
        [
            ("61 * * * *", "'61 * * * *': Bad minute"),
            ("* * * *", "must have 5 fields"),
            ("0 * * * * *", "must have 5 fields"),
            ("@reboot", "or be one of @yearly"),
            ("", "must have 5 fields"),
            ("0 0 30 2 *", "Bad day-of-month"),
            ("0 0 */31 2 MON#5", "is never due"),
        ],
    )
    def test_a_wrong_expression_is_named(self, expression, words):
        with pytest.raises(InvalidError, match="/cron") as caught:
            Cron(expression, "UTC")
        assert words in caught.value.detail

    @pytest.mark.parametrize(
        "zone", ["Europe", "Europe/Berlinn", "../UTC", "/etc/passwd", "", "é\0", "\udc80"]
    )
    def test_a_wrong_zone_is_named(self, zone):
        with pytest.raises(InvalidError, match="/timeZone"):
            Cron("0 0 * * *", zone)

    @given(st.text("0123456789*/,-#LW@ MONdaily?", max_size=60))
    def test_any_text_is_an_expression_or_an_error_of_the_input(self, text):
        try:
            due = Cron(text, "Europe/Berlin").next_after(at("2026-05-01T00:00:00Z"))
        except InvalidError as error:
            wrong = [each["pointer"] for each in error.errors]
        else:
            wrong = [] if due else ["never due"]
        assert wrong in ([], ["/cron"])
