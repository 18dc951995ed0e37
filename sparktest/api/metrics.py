"""Counters and gauges of all processes of the API, in memory that they share.

Each process writes its own slot and reads all of them, so any process can answer for all. A
process that takes the place of a dead one goes on with the numbers of its slot.
"""

import mmap
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

MAX_SLOTS = 16
SLOT_BYTES = 1024 * 1024
CELL_BYTES = 8
# Upper bounds in seconds; one more bucket has what took longer.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "other")
CLASSES = ("2xx", "3xx", "4xx", "5xx")
NO_ROUTE = "none"

GAUGES = {
    "connections_open": "Connections of clients.",
    "streams_open": "Responses that are sent by a thread of their own, such as followed logs.",
    "requests_waiting": "Requests that wait for a thread.",
    "writes_waiting": "Writes that wait for their transaction.",
    "database_connections_in_use": "Connections of the pool that are in use.",
}
COUNTERS = {"log_bytes": "Bytes of logs that were received."}
SIMPLE = (*GAUGES, *COUNTERS)
# Of one series of durations: the buckets and the sum of the seconds.
SERIES_CELLS = len(BUCKETS) + 2


class Series(NamedTuple):
    """The durations of requests with the same labels."""

    route: str
    method: str
    status: str


class SharedMemory:
    """The slots of all processes; created before they fork."""

    def __init__(self, slots: int = MAX_SLOTS) -> None:
        # Anonymous and shared; pages that are not used take no memory.
        self._cells = memoryview(mmap.mmap(-1, slots * SLOT_BYTES)).cast("d")

    def slots(self) -> Iterator["memoryview[float]"]:
        """Yield the cells of each slot."""
        cells = SLOT_BYTES // CELL_BYTES
        for start in range(0, len(self._cells), cells):
            yield self._cells[start : start + cells]

    def clear_gauges(self, slot: int) -> None:
        """Set the gauges of a process that has ended to 0."""
        cells = [*self.slots()][slot]
        for index in range(len(GAUGES)):
            cells[index] = 0.0


class Metrics:
    """The metrics that this process records, and those of all processes.

    Args:
        memory: of all processes; default: of this one alone.
        slot: of this process.
    """

    def __init__(self, memory: SharedMemory | None = None, slot: int = 0) -> None:
        self._slots = [*(memory or SharedMemory(1)).slots()]
        self._own = self._slots[slot]
        self._lock = threading.Lock()
        self._routes: dict[str, int] = {NO_ROUTE: 0}

    def set_routes(self, rules: Iterable[str]) -> None:
        """Set the rules of the routes; the same in each process."""
        self._routes = {rule: at for at, rule in enumerate([NO_ROUTE, *sorted(set(rules))])}
        cells = len(SIMPLE) + self._series_count() * SERIES_CELLS
        if cells > len(self._own):
            raise ValueError("there are too many routes for a slot")

    def record_request(self, rule: str | None, method: str, status: int, seconds: float) -> None:
        """Count an answered request, and its duration up to the head of the response."""
        method_at = METHODS.index(method) if method in METHODS else len(METHODS) - 1
        class_at = min(max(status // 100, 2), 5) - 2
        route_at = self._routes.get(rule or NO_ROUTE, 0)
        series = (route_at * len(METHODS) + method_at) * len(CLASSES) + class_at
        start = len(SIMPLE) + series * SERIES_CELLS
        with self._lock:
            self._own[start + bisect_left(BUCKETS, seconds)] += 1.0
            self._own[start + SERIES_CELLS - 1] += seconds

    def add(self, counter: str, amount: float) -> None:
        """Add to a counter."""
        with self._lock:
            self._own[SIMPLE.index(counter)] += amount

    def set_gauges(self, values: Mapping[str, float]) -> None:
        """Set the gauges of this process."""
        for name, value in values.items():
            self._own[SIMPLE.index(name)] = value

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all processes together."""
        for at, (name, text) in enumerate((GAUGES | COUNTERS).items()):
            kind = GaugeMetricFamily if name in GAUGES else CounterMetricFamily
            yield kind(f"sparktest_{name}", text, value=self._sum(at))
        durations = HistogramMetricFamily(
            "sparktest_http_request_duration_seconds",
            "Time from a whole request to the head of its response.",
            labels=Series._fields,
        )
        for series, cells in self._series():
            durations.add_metric(series, _cumulative(cells[:-1]), cells[-1])
        yield durations

    def _sum(self, index: int) -> float:
        return sum(slot[index] for slot in self._slots)

    def _series_count(self) -> int:
        return len(self._routes) * len(METHODS) * len(CLASSES)

    def _series(self) -> Iterator[tuple[Series, Sequence[float]]]:
        """Yield all series that have at least one request."""
        start = len(SIMPLE)
        for route in self._routes:
            for method in METHODS:
                for status in CLASSES:
                    parts = [slot[start : start + SERIES_CELLS] for slot in self._slots]
                    start += SERIES_CELLS
                    cells = [sum(column) for column in zip(*parts, strict=True)]
                    if any(cells[:-1]):
                        yield Series(route, method, status), cells


def _cumulative(counts: Sequence[float]) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
    total, result = 0.0, []
    for bound, count in zip(bounds, counts, strict=True):
        total += count
        result.append((bound, total))
    return result
