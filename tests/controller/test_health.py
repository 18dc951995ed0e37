import pytest
from prometheus_client import CollectorRegistry

from sparktest.controller.health import STUCK_SECONDS, Health, Heartbeat
from sparktest.controller.queue_metrics import QueueMetrics
from tests.controller.clock import Clock

Queue = QueueMetrics[tuple[str, str]]
KEY = ("tests", "smoke")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> Queue:
    return QueueMetrics(CollectorRegistry(), clock)


def test_a_thread_that_was_not_started_is_healthy(clock: Clock, queue: Queue) -> None:
    heartbeat = Heartbeat("informer", clock)
    clock.now += 10 * STUCK_SECONDS
    assert Health([heartbeat], queue).problems() == []


def test_a_thread_without_progress_is_named_until_it_beats_again(
    clock: Clock, queue: Queue
) -> None:
    heartbeats = [Heartbeat("informer of jobs", clock), Heartbeat("informer of pods", clock)]
    for heartbeat in heartbeats:
        heartbeat.beat()
    clock.now += STUCK_SECONDS
    heartbeats[1].beat()
    assert Health(heartbeats, queue).problems() == []
    clock.now += 1
    assert Health(heartbeats, queue).problems() == ["informer of jobs: no progress for 601 s"]
    heartbeats[0].beat()
    assert Health(heartbeats, queue).problems() == []


def test_a_worker_that_is_never_done_is_a_problem(clock: Clock, queue: Queue) -> None:
    queue.added(KEY)
    queue.taken(KEY)
    clock.now += STUCK_SECONDS + 1
    assert Health([], queue).problems() == ["a worker has had one key for 601 s"]
    queue.done(KEY)
    assert Health([], queue).problems() == []


def test_a_queue_from_which_nothing_is_taken_is_a_problem(clock: Clock, queue: Queue) -> None:
    clock.now += 10 * STUCK_SECONDS
    queue.added(KEY)
    clock.now += STUCK_SECONDS
    assert Health([], queue).problems() == []
    clock.now += 1
    assert Health([], queue).problems() == ["no worker has taken a key for 601 s, and some wait"]
    queue.taken(KEY)
    queue.done(KEY)
    assert Health([], queue).problems() == []


def test_a_long_backlog_that_moves_is_healthy(clock: Clock, queue: Queue) -> None:
    for number in range(100):
        queue.added(("tests", str(number)))
    for number in range(99):
        clock.now += 60.0
        queue.taken(("tests", str(number)))
        queue.done(("tests", str(number)))
        assert Health([], queue).problems() == []
