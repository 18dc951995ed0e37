import pytest
from prometheus_client import CollectorRegistry

from sparktest.controller.queue_metrics import QueueMetrics
from tests.controller.clock import Clock

LABELS = {"name": "testrun", "controller": "testrun"}


class Metered:
    """A queue's metrics, a clock and the scraped values."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.registry = CollectorRegistry()
        self.queue: QueueMetrics[str] = QueueMetrics(self.registry, self.clock)

    def value(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"workqueue_{name}", LABELS)


@pytest.fixture
def metered() -> Metered:
    return Metered()


def test_waiting_keys_are_the_depth_and_each_is_counted_once(metered: Metered) -> None:
    for key in ("a", "b"):
        metered.queue.added(key)
    assert (metered.value("depth"), metered.value("adds_total")) == (2, 2)
    metered.queue.taken("a")
    assert (metered.value("depth"), metered.queue.active()) == (1, 1)


def test_the_time_of_a_key_is_divided_into_waiting_and_work(metered: Metered) -> None:
    metered.queue.added("a")
    metered.clock.now += 2.0
    metered.queue.taken("a")
    metered.clock.now += 3.0
    assert metered.value("unfinished_work_seconds") == 3.0
    metered.queue.done("a")
    assert metered.value("queue_duration_seconds_sum") == 2.0
    assert metered.value("work_duration_seconds_sum") == 3.0
    assert metered.value("work_duration_seconds_count") == 1
    assert metered.value("unfinished_work_seconds") == 0.0


def test_the_slowest_worker_is_shown_while_it_works(metered: Metered) -> None:
    for key in ("a", "b"):
        metered.queue.added(key)
        metered.queue.taken(key)
        metered.clock.now += 4.0
    assert metered.value("longest_running_processor_seconds") == 8.0
    assert metered.value("unfinished_work_seconds") == 12.0
    metered.queue.done("a")
    assert metered.value("longest_running_processor_seconds") == 4.0


def test_a_key_that_is_added_while_a_worker_has_it_waits_from_then_on(metered: Metered) -> None:
    metered.queue.added("a")
    metered.queue.taken("a")
    metered.queue.added("a")
    metered.clock.now += 1.0
    metered.queue.done("a")
    metered.clock.now += 1.0
    metered.queue.taken("a")
    assert metered.value("queue_duration_seconds_sum") == 2.0
    assert metered.value("adds_total") == 2


def test_retries_are_counted(metered: Metered) -> None:
    metered.queue.retried()
    assert metered.value("retries_total") == 1
