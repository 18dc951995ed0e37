import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest import run_poller
from sparktest.backoff import Backoff
from sparktest.domain import Origin, Run, RunPage, Status
from sparktest.errors import RateLimitedError, UnavailableError
from sparktest.run_poller import (
    FIRST_PAGE_SIZE,
    OVERLAP,
    OVERLAP_SECONDS,
    PAGE_SIZE,
    POLL_SECONDS,
    TICK,
    PageRequest,
    RunPoller,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SWEEP_SECONDS = 60.0
UNREACHABLE = UnavailableError("the API does not answer")


class FixedRandom(random.Random):
    """Returns the same fraction of every range."""

    def __init__(self, fraction: float) -> None:
        super().__init__(0)
        self.fraction = fraction

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.fraction


def make_run(number: int, **fields: object) -> Run:
    """Return a run; a higher number means an older run."""
    created = NOW - timedelta(seconds=number)
    run = Run(
        id=f"run-{number:06}",
        name=f"run {number}",
        status=Status.RUNNING,
        origin=Origin.API,
        created_at=created,
        updated_at=created,
    )
    return msgspec.structs.replace(run, **fields)


class PagedRuns:
    """Runs in pages, like the API's: newest first; the cursor is the last id of the page before."""

    def __init__(self, count: int = 0, **fields: object) -> None:
        self.runs = {run.id: run for run in (make_run(n, **fields) for n in range(count))}
        self.requests: list[PageRequest] = []

    def put(self, run: Run) -> None:
        self.runs[run.id] = run

    def page(self, request: PageRequest) -> RunPage:
        self.requests.append(request)
        found = [
            run
            for run in sorted(self.runs.values(), key=lambda run: run.id)
            if request.updated_since is None or (run.updated_at or NOW) >= request.updated_since
            if request.cursor is None or run.id > request.cursor
        ]
        more = len(found) > request.limit
        found = found[: request.limit]
        return RunPage(runs=tuple(found), next=found[-1].id if more else None)


class Reader:
    """Answers the poller's requests on a simulated clock and keeps the runs in a dictionary."""

    def __init__(
        self, api: PagedRuns, *, since: datetime | None = None, sweeps: bool = True
    ) -> None:
        self.api = api
        self.poller = RunPoller(
            FixedRandom(1.0), sweep_seconds=SWEEP_SECONDS if sweeps else None, since=since
        )
        self.now = 100.0
        self.runs: dict[str, Run] = {}

    def step(self) -> None:
        """Advance the clock to the next request and answer it."""
        self.now += self.poller.delay(self.now)
        request = self.poller.next_request(self.now, lambda: self.runs)
        page = self.api.page(request)
        gone = self.poller.received(request, page, self.now)
        self.runs |= {run.id: run for run in page.runs}
        for run_id in gone:
            del self.runs[run_id]

    def read_for(self, seconds: float) -> int:
        """Run for this time and return the number of requested pages."""
        before, end = len(self.api.requests), self.now + seconds
        while self.now + self.poller.delay(self.now) <= end:
            self.step()
        self.now = end
        return len(self.api.requests) - before


def test_the_first_page_is_small_and_the_others_are_large() -> None:
    reader = Reader(PagedRuns(2500))
    reader.read_for(1)
    limits = [request.limit for request in reader.api.requests]
    assert limits[:4] == [FIRST_PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE]
    assert reader.poller.loaded
    assert len(reader.runs) == 2500


def test_a_change_is_read_within_a_poll() -> None:
    reader = Reader(PagedRuns(2500))
    reader.read_for(5)
    reader.api.put(make_run(2000, name="renamed", updated_at=NOW + TICK))
    reader.read_for(POLL_SECONDS + 0.1)
    assert reader.runs[make_run(2000).id].name == "renamed"


def test_changes_are_read_while_a_long_list_is_still_loading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_poller, "PAGE_SECONDS", 0.5)
    reader = Reader(PagedRuns(4000))
    reader.read_for(1.6)
    assert not reader.poller.loaded
    assert any(request.updated_since for request in reader.api.requests)


def test_a_deleted_run_is_gone_after_the_next_sweep() -> None:
    reader = Reader(PagedRuns(1500))
    reader.read_for(5)
    gone = make_run(1200)
    del reader.api.runs[gone.id]
    reader.read_for(SWEEP_SECONDS + 1)
    assert gone.id not in reader.runs
    assert len(reader.runs) == 1499


def test_a_run_created_during_a_sweep_is_not_reported_as_deleted() -> None:
    reader = Reader(PagedRuns(10))
    request = reader.poller.next_request(reader.now, lambda: [make_run(3).id])
    page = RunPage(runs=(make_run(3),))
    assert reader.poller.received(request, page, reader.now) == frozenset()


def test_runs_that_changed_at_the_same_time_are_not_read_again_forever() -> None:
    reader = Reader(PagedRuns(3000, updated_at=NOW))
    reader.read_for(OVERLAP_SECONDS + 10)
    reader.api.requests.clear()
    pages = reader.read_for(20)
    assert pages <= 20 / POLL_SECONDS + 1
    assert reader.api.requests[-1].updated_since == NOW + TICK


def test_a_change_that_becomes_visible_late_is_read() -> None:
    reader = Reader(PagedRuns(5))
    reader.read_for(3)
    assert reader.api.requests[-1].updated_since == NOW - OVERLAP
    reader.api.put(make_run(4, name="late", updated_at=NOW - timedelta(seconds=2)))
    reader.read_for(POLL_SECONDS + 0.1)
    assert reader.runs[make_run(4).id].name == "late"


def test_an_empty_api_is_polled_until_it_has_a_run() -> None:
    reader = Reader(PagedRuns())
    reader.read_for(2)
    assert reader.poller.loaded
    reader.api.put(make_run(7))
    reader.read_for(POLL_SECONDS + 0.1)
    assert list(reader.runs) == [make_run(7).id]


@given(changes=st.lists(st.integers(min_value=0, max_value=3200), min_size=1, max_size=4))
def test_no_change_is_lost_however_many_arrive_within_one_overlap(changes: list[int]) -> None:
    reader = Reader(PagedRuns(10), since=NOW, sweeps=False)
    reader.read_for(2)
    for step, count in enumerate(changes, start=1):
        at = NOW + timedelta(seconds=step)
        for number in range(count):
            reader.api.put(make_run(number, updated_at=at))
        reader.read_for(POLL_SECONDS + 0.2)
    assert {run_id: reader.runs[run_id].updated_at for run_id in reader.runs} == {
        run.id: run.updated_at
        for run in reader.api.runs.values()
        if run.updated_at and run.updated_at > NOW - OVERLAP - TICK
    }


def test_without_sweeps_only_changes_are_read() -> None:
    reader = Reader(PagedRuns(100), since=NOW + timedelta(hours=1), sweeps=False)
    reader.read_for(SWEEP_SECONDS * 2)
    assert reader.runs == {}
    assert not any(request.sweep for request in reader.api.requests)


@pytest.mark.parametrize(
    ("fraction", "delays"), [(1.0, [1, 2, 4, 8, 16, 30, 30]), (0.0, [0.5, 1, 2, 4, 8, 15, 15])]
)
def test_the_backoff_grows_to_thirty_seconds_with_jitter(
    fraction: float, delays: list[float]
) -> None:
    poller = RunPoller(FixedRandom(fraction), sweep_seconds=SWEEP_SECONDS)
    for delay in delays:
        poller.failed(UNREACHABLE, 50.0)
        assert poller.retry_at - 50.0 == poller.delay(50.0) == delay


def test_the_api_may_ask_for_a_longer_delay() -> None:
    poller = RunPoller(FixedRandom(0.0), sweep_seconds=SWEEP_SECONDS)
    poller.failed(RateLimitedError("slow down", retry_after=12.0), 50.0)
    assert poller.delay(50.0) == 12.0


def test_a_caller_may_set_its_own_backoff() -> None:
    poller = RunPoller(FixedRandom(1.0), sweep_seconds=None, backoff=Backoff(first=0.5, cap=0.5))
    for _ in range(5):
        poller.failed(UNREACHABLE, 50.0)
    assert poller.delay(50.0) == 0.5


def test_poll_now_ends_the_backoff() -> None:
    poller = RunPoller(FixedRandom(1.0), sweep_seconds=SWEEP_SECONDS)
    for _ in range(6):
        poller.failed(UNREACHABLE, 50.0)
    poller.poll_now(51.0)
    assert poller.delay(51.0) == 0.0


def test_the_first_failure_in_a_row_is_remembered_until_a_request_succeeds() -> None:
    reader = Reader(PagedRuns(3))
    reader.step()
    for now in (200.0, 210.0):
        reader.poller.failed(UNREACHABLE, now)
    assert (reader.poller.failing_since, reader.poller.error) == (200.0, UNREACHABLE)
    reader.now = 220.0
    reader.step()
    assert (reader.poller.failing_since, reader.poller.error) == (None, None)


def test_after_an_outage_the_whole_list_is_read() -> None:
    reader = Reader(PagedRuns(30))
    reader.read_for(5)
    reader.poller.failed(UNREACHABLE, reader.now)
    reader.api.runs = PagedRuns(2).runs
    reader.read_for(5)
    assert set(reader.runs) == set(reader.api.runs)


def test_the_first_failure_after_an_answer_waits_one_second_again() -> None:
    reader = Reader(PagedRuns(3))
    for _ in range(5):
        reader.poller.failed(UNREACHABLE, reader.now)
    reader.step()
    reader.poller.failed(UNREACHABLE, reader.now)
    assert reader.poller.retry_at - reader.now == 1.0


def test_a_longer_interval_means_fewer_requests() -> None:
    reader = Reader(PagedRuns(3))
    reader.read_for(3)
    reader.poller.set_poll_interval(5.0, reader.now)
    assert reader.read_for(20) <= 5
