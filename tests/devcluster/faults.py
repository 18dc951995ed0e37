"""Faults that tests inject into a dev cluster: errors, lost replies, cut watches, clock jumps."""

import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.app import DevCluster
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.kinds import JOBS, PODS
from sparktest.devcluster.requests import Request, Response, parse_path, verb_of
from sparktest.devcluster.stored_objects import Object
from sparktest.times import format_time

REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}
WRITES = ("create", "update", "patch", "delete", "deletecollection")


class AdjustableClock(Clock):
    """A clock that a test sets ahead or back."""

    def __init__(self) -> None:
        self.offset_seconds = 0.0

    def time(self) -> float:
        return super().time() + self.offset_seconds

    def timestamp_of(self, seconds: float) -> str:
        return format_time(datetime.fromtimestamp(seconds + self.offset_seconds, UTC))


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """The calls that a fault applies to; an empty field matches everything.

    Args:
        verbs: get, list, watch, create, …
        resource: the plural, with its subresource if there is one (`jobs`, `pods/log`).
        name: of the object.
        times: how many calls are hit, None for all.
        share: the probability that a matching call is hit.
    """

    verbs: tuple[str, ...] = ()
    resource: str = ""
    name: str = ""
    times: int | None = 1
    share: float = 1.0

    def include(self, verb: str, resource: str, name: str) -> bool:
        return (
            (not self.verbs or verb in self.verbs)
            and self.resource in ("", resource)
            and self.name in ("", name)
        )


ANY = Calls()


class Fault(msgspec.Struct):
    """A fault and how many calls it still hits, None for no limit."""

    calls: Calls
    left: int | None
    seconds: float = 0
    code: int = 0
    retry_after: float | None = None
    lose: bool = False


class Faults:
    """Wraps the request handler of a dev cluster and makes the calls fail that a test names."""

    def __init__(self, cluster: DevCluster) -> None:
        self._cluster = cluster
        self._respond = cluster.server.respond
        self._faults: list[Fault] = []
        self._random = random.Random(1)
        self._lock = threading.Lock()
        self._opened = self._dropped = self._frozen = 0
        cluster.server.respond = self._answer

    def answer(self, code: int, calls: Calls = ANY, *, retry_after: float | None = None) -> None:
        """Answer with an error instead of executing the call."""
        self._add(calls, code=code, retry_after=retry_after)

    def lose_reply(self, calls: Calls = ANY) -> None:
        """Execute the call and close the connection without an answer."""
        self._add(calls, lose=True)

    def delay(self, seconds: float, calls: Calls = ANY) -> None:
        """Wait before the call is executed."""
        self._add(calls, seconds=seconds)

    def clear(self) -> None:
        """Inject no more faults; frozen watches continue."""
        with self._lock:
            self._faults.clear()
        self.thaw_watches()

    def drop_watches(self) -> None:
        """Cut the connection of every open watch and log follower."""
        self._dropped = self._opened
        for kind in self._cluster.kinds.stored():  # wakes the watches
            history = self._cluster.store.history(kind.key)
            history.discard(history.floor)

    def freeze_watches(self) -> None:
        """Keep open watches and log followers open and send nothing on them."""
        self._frozen = self._opened

    def thaw_watches(self) -> None:
        """Continue the frozen watches, with what was held back first."""
        self._frozen = 0

    def forget_history(self) -> None:
        """Forget all past events, so that even a watch that is up to date gets 410."""
        store = self._cluster.store
        with store.lock:
            store.version += 1
            for kind in self._cluster.kinds.stored():
                store.history(kind.key).discard(store.version)

    def move_clock(self, seconds: float) -> None:
        """Set the clock ahead or back, and write every Job and pod so that deadlines are reread."""
        clock, resources = self._cluster.clock, self._cluster.resources
        assert isinstance(clock, AdjustableClock)
        clock.offset_seconds += seconds

        def touch(obj: Object) -> None:
            notes = obj["metadata"].setdefault("annotations", {})
            notes["tests/clock-offset"] = str(clock.offset_seconds)

        for kind in (JOBS, PODS):
            for stored in self._cluster.store.objects(kind.key):
                resources.set_status(kind, stored, touch)

    def _add(self, calls: Calls, **fields: Any) -> None:
        with self._lock:
            self._faults.append(Fault(calls, calls.times, **fields))

    def _answer(self, request: Request) -> Response:
        fault = self._take(request)
        if fault is not None:
            time.sleep(fault.seconds)
            if fault.code:
                reason = REASONS.get(fault.code, "InternalError")
                text = f"injected: {reason}"
                raise StatusError(fault.code, reason, text, retry_after=fault.retry_after)
        response = self._respond(request)
        if fault is not None and fault.lose:
            raise ConnectionAbortedError("injected")
        if response.stream is not None:
            with self._lock:
                self._opened += 1
                response.stream = self._pieces(response.stream, self._opened)
        return response

    def _take(self, request: Request) -> Fault | None:
        """Return the fault for this request, and count it."""
        try:
            found = parse_path(request.path, self._cluster.kinds)
            verb = verb_of(request, found)
        except StatusError:  # discovery, or an error anyway
            return None
        resource = "/".join(filter(None, (found.kind.plural, found.subresource)))
        with self._lock:
            for fault in self._faults:
                if fault.left == 0 or not fault.calls.include(verb, resource, found.name):
                    continue
                if self._random.random() < fault.calls.share:
                    fault.left = None if fault.left is None else fault.left - 1
                    return fault
        return None

    def _pieces(self, stream: Iterator[bytes | None], number: int) -> Iterator[bytes | None]:
        for piece in stream:
            while self._dropped < number <= self._frozen:
                time.sleep(0.01)
                yield None  # lets the server notice a client that is gone
            if number <= self._dropped:
                raise ConnectionAbortedError("injected")
            yield piece
