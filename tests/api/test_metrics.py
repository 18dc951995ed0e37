"""The metrics of several processes, and their sum."""

import os

from hypothesis import given
from hypothesis import strategies as st

from sparktest.api.metrics import BUCKETS, CLASSES, METHODS, NO_ROUTE, Metrics, SharedMemory

RULES = ("/a", "/b/<id>")
REQUESTS = st.lists(
    st.tuples(
        st.sampled_from([*RULES, None, "/unknown"]),
        st.sampled_from([*METHODS, "BREW"]),
        st.sampled_from([101, 200, 304, 404, 503]),
        st.floats(0, 20),
        st.integers(0, 2),
    ),
    max_size=30,
)


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return all samples by name and values of the labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }


def processes(count: int) -> list[Metrics]:
    memory = SharedMemory(count)
    found = [Metrics(memory, slot) for slot in range(count)]
    for one in found:
        one.set_routes(RULES)
    return found


@given(REQUESTS)
def test_every_process_shows_all_requests_of_all_processes(requests):
    writers = processes(3)
    for rule, method, status, seconds, writer in requests:
        writers[writer].record_request(rule, method, status, seconds)
    name = "sparktest_http_request_duration_seconds"
    for reader in writers:
        found = samples(reader)
        counts = {key: value for key, value in found.items() if key[0] == f"{name}_count"}
        sums = {key: value for key, value in found.items() if key[0] == f"{name}_sum"}
        assert sum(counts.values()) == len(requests)
        assert abs(sum(sums.values()) - sum(each[3] for each in requests)) < 1e-6
        for _, route, method, status in counts:
            assert route in (*RULES, NO_ROUTE)
            assert method in METHODS
            assert status in CLASSES


def test_a_duration_is_in_every_bucket_that_it_fits_into():
    (metrics,) = processes(1)
    metrics.record_request("/a", "GET", 200, BUCKETS[2])
    metrics.record_request("/a", "GET", 200, 1e6)
    found = samples(metrics)
    key = ("sparktest_http_request_duration_seconds_bucket", "/a", "GET", "2xx")
    assert found[*key, str(BUCKETS[1])] == 0
    assert found[*key, str(BUCKETS[2])] == 1
    assert found[*key, "+Inf"] == 2


def test_gauges_are_added_and_those_of_a_dead_process_forgotten():
    memory = SharedMemory(2)
    first, second = Metrics(memory, 0), Metrics(memory, 1)
    first.set_gauges({"streams_open": 2})
    second.set_gauges({"streams_open": 3})
    second.add("log_bytes", 10)
    assert samples(first)["sparktest_streams_open",] == 5
    memory.clear_gauges(1)
    assert samples(first)["sparktest_streams_open",] == 2
    assert samples(first)["sparktest_log_bytes_total",] == 10


def test_a_forked_process_writes_into_the_same_memory():
    memory = SharedMemory(2)
    reader = Metrics(memory, 0)
    child = os.fork()
    if child == 0:
        Metrics(memory, 1).add("log_bytes", 7)
        os._exit(0)
    os.waitpid(child, 0)
    assert samples(reader)["sparktest_log_bytes_total",] == 7
