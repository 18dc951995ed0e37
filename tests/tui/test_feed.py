from datetime import timedelta

import pytest

from sparktest.domain import Run, RunPage
from sparktest.errors import ForbiddenError, RateLimitedError, UnauthorizedError, UnavailableError
from sparktest.tui import feed
from sparktest.tui.feed import (
    BLURRED_SECONDS,
    FIRST_PAGE,
    OVERLAP,
    OVERLAP_SECONDS,
    PAGE,
    POLL_SECONDS,
    SWEEP_SECONDS,
    TICK,
    Feed,
)
from tests.tui.fakes import FakeApi, changed, make_run, make_runs

MOMENT = make_run(0).created_at
AWAY = UnavailableError("the API does not answer")


class Reader:
    """Reads an API as the feed says, on a clock of its own, into a dictionary."""

    def __init__(self, api: FakeApi, dice: float = 1.0) -> None:
        self.api = api
        self.feed = Feed(lambda: dice)
        self.now = 100.0
        self.runs: dict[str, Run] = {}

    def step(self) -> None:
        """Ask once, when it is time."""
        self.now += self.feed.due(self.now)
        ask = self.feed.ask(self.now, frozenset(self.runs))
        page = self.api.list_runs(
            updated_since=ask.updated_since, cursor=ask.cursor, limit=ask.limit
        )
        gone = self.feed.answered(ask, page, self.now)
        self.runs |= {run.id: run for run in page.runs}
        for run_id in gone:
            del self.runs[run_id]

    def read_for(self, seconds: float) -> int:
        """How many pages were asked for in this time."""
        before, end = len(self.api.asked), self.now + seconds
        while self.now + self.feed.due(self.now) <= end:
            self.step()
        self.now = end
        return len(self.api.asked) - before


def test_the_first_page_is_small_and_the_rest_comes_in_large_ones():
    reader = Reader(FakeApi(make_runs(2500)))
    reader.read_for(1)
    assert [asked["limit"] for asked in reader.api.asked][:4] == [FIRST_PAGE, PAGE, PAGE, PAGE]
    assert reader.feed.loaded
    assert len(reader.runs) == 2500


def test_a_change_is_read_within_a_poll():
    reader = Reader(FakeApi(make_runs(2500)))
    reader.read_for(5)
    newer = changed(make_run(2000), name="renamed")
    reader.api.put(newer)
    reader.read_for(POLL_SECONDS + 0.1)
    assert reader.runs[newer.id].name == "renamed"


def test_changes_are_read_while_a_long_list_is_still_coming(monkeypatch):
    monkeypatch.setattr(feed, "PAGE_SECONDS", 0.5)
    reader = Reader(FakeApi(make_runs(4000)))
    reader.read_for(1.6)
    assert not reader.feed.loaded
    assert any(asked["updated_since"] for asked in reader.api.asked)


def test_a_run_that_was_deleted_is_gone_after_the_next_sweep():
    reader = Reader(FakeApi(make_runs(1500)))
    reader.read_for(5)
    gone = make_run(1200)
    del reader.api.runs[gone.id]
    reader.read_for(SWEEP_SECONDS + 1)
    assert gone.id not in reader.runs
    assert len(reader.runs) == 1499


def test_a_run_that_came_during_a_sweep_is_not_taken_for_a_deleted_one():
    reader = Reader(FakeApi(make_runs(10)))
    ask = reader.feed.ask(reader.now, frozenset({make_run(3).id}))
    page = RunPage(runs=(make_run(3),))
    assert reader.feed.answered(ask, page, reader.now) == frozenset()


def test_a_crowd_of_runs_of_one_moment_is_not_read_again_for_ever():
    reader = Reader(FakeApi(make_runs(3000, updated_at=MOMENT)))
    reader.read_for(OVERLAP_SECONDS + 10)
    reader.api.asked.clear()
    pages = reader.read_for(20)
    assert pages <= 20 / POLL_SECONDS + 1
    last = reader.api.asked[-1]["updated_since"]
    assert last == MOMENT + TICK


def test_a_change_that_becomes_visible_late_is_read_all_the_same():
    reader = Reader(FakeApi(make_runs(5)))
    reader.read_for(3)
    newest = make_run(0).created_at
    assert reader.api.asked[-1]["updated_since"] == newest - OVERLAP
    late = changed(make_run(4), name="late")
    late_written = type(late)(
        **{
            **{name: getattr(late, name) for name in late.__struct_fields__},
            "updated_at": newest - timedelta(seconds=2),
        }
    )
    reader.api.put(late_written)
    reader.read_for(POLL_SECONDS + 0.1)
    assert reader.runs[late.id].name == "late"


def test_an_empty_api_is_polled_until_it_has_a_run():
    reader = Reader(FakeApi())
    reader.read_for(2)
    assert reader.feed.loaded
    reader.api.put(make_run(7))
    reader.read_for(POLL_SECONDS + 0.1)
    assert list(reader.runs) == [make_run(7).id]


@pytest.mark.parametrize(
    ("dice", "delays"), [(1.0, [1, 2, 4, 8, 16, 30, 30]), (0.0, [0.5, 1, 2, 4, 8, 15, 15])]
)
def test_the_back_off_grows_to_thirty_seconds_with_jitter(dice, delays):
    chosen = Feed(lambda: dice)
    assert [chosen.failed(AWAY, 50.0).retry_at - 50.0 for _ in delays] == delays


def test_the_api_may_ask_for_more_patience():
    patient = Feed(lambda: 0.0)
    outage = patient.failed(RateLimitedError("slow down", retry_after=12.0), 50.0)
    assert patient.due(50.0) == outage.retry_at - 50.0 == 12.0


def test_a_person_in_a_hurry_is_asked_for_no_patience():
    hurried = Feed(lambda: 1.0)
    for _ in range(6):
        hurried.failed(AWAY, 50.0)
    hurried.hurry(51.0)
    assert hurried.due(51.0) == 0.0


def test_after_an_outage_the_whole_list_is_looked_through():
    reader = Reader(FakeApi(make_runs(30)))
    reader.read_for(5)
    reader.feed.failed(AWAY, reader.now)
    reader.api.runs = {run.id: run for run in make_runs(2)}
    reader.read_for(5)
    assert reader.feed.outage is None
    assert set(reader.runs) == set(reader.api.runs)


def test_the_next_failure_after_a_good_answer_begins_at_one_second_again():
    reader = Reader(FakeApi(make_runs(3)))
    for _ in range(5):
        reader.feed.failed(AWAY, reader.now)
    reader.step()
    assert reader.feed.failed(AWAY, reader.now).retry_at - reader.now == 1.0


def test_nobody_looking_means_fewer_questions():
    reader = Reader(FakeApi(make_runs(3)))
    reader.read_for(3)
    reader.feed.pace(BLURRED_SECONDS, reader.now)
    assert reader.read_for(20) <= 5


@pytest.mark.parametrize(
    ("error", "way_out"),
    [
        (UnauthorizedError("no"), "SPARKTEST_TOKEN"),
        (ForbiddenError("no"), "scope"),
        (AWAY, "SPARKTEST_BACKEND_URL"),
    ],
)
def test_every_outage_says_the_way_out(error, way_out):
    assert way_out in Feed(lambda: 0.0).failed(error, 1.0).advice


def test_what_a_server_says_of_its_error_is_made_safe():
    assert Feed(lambda: 0.0).failed(UnavailableError("\x1b[2Jgone"), 1.0).cause == "gone"
