"""Faults that a test injects. Only a holder of this object can: no route leads to it."""

import threading
from collections import Counter
from collections.abc import Callable

import msgspec

from sparktest.devcluster.status import StatusError

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


class Call(msgspec.Struct, frozen=True):
    """What a request asks for: `get`, `list`, `watch`, `create`, …, of `jobs` or `pods/log`."""

    verb: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""


class LostReplyError(Exception):
    """The request was carried out and the answer goes nowhere."""


class Planned(msgspec.Struct):
    """A fault that waits for the calls it is meant for; None matches any, `times` None for ever."""

    verb: str | None
    resource: str | None
    name: str | None
    times: int | None
    seconds: float = 0
    error: StatusError | None = None
    lose: bool = False

    def meets(self, call: Call) -> bool:
        """Whether it is meant for this call and not yet used up."""
        wanted = ((self.verb, call.verb), (self.resource, call.resource), (self.name, call.name))
        return self.times != 0 and all(want in (None, has) for want, has in wanted)


class Faults:
    """What goes wrong, and `seen`: how often each (verb, resource) was called."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        self.drops = 0
        self.on_change: Callable[[], None] = lambda: None
        self._planned: list[Planned] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()

    def answer(
        self,
        code: int,
        *,
        verb: str | None = None,
        resource: str | None = None,
        name: str | None = None,
        times: int | None = 1,
        retry_after: float | None = None,
    ) -> None:
        """Answer with an error instead of carrying the call out."""
        reason = REASONS.get(code, "InternalError")
        error = StatusError(code, reason, f"injected: {reason}", retry_after=retry_after)
        self._plan(Planned(verb, resource, name, times, error=error))

    def lose_reply(
        self,
        *,
        verb: str | None = None,
        resource: str | None = None,
        name: str | None = None,
        times: int | None = 1,
    ) -> None:
        """Carry the call out and close the connection without an answer."""
        self._plan(Planned(verb, resource, name, times, lose=True))

    def delay(
        self,
        seconds: float,
        *,
        verb: str | None = None,
        resource: str | None = None,
        name: str | None = None,
        times: int | None = 1,
    ) -> None:
        """Let the call wait before it is carried out."""
        self._plan(Planned(verb, resource, name, times, seconds=seconds))

    def clear(self) -> None:
        """Nothing goes wrong any more; frozen watches flow again."""
        with self._lock:
            self._planned.clear()
        self.thaw_watches()

    def drop_watches(self) -> None:
        """Cut the connection of every open watch and follower."""
        self.drops += 1
        self.on_change()

    def freeze_watches(self) -> None:
        """Leave the connections of watches open and send nothing on them."""
        self._flowing.clear()

    def thaw_watches(self) -> None:
        """Send on, beginning with what was held back."""
        self._flowing.set()
        self.on_change()

    def flowing(self) -> bool:
        """Whether watches may send."""
        return self._flowing.is_set()

    def take(self, call: Call) -> Planned | None:
        """The fault for this call, which is counted."""
        with self._lock:
            self.seen[call.verb, call.resource] += 1
            for planned in self._planned:
                if planned.meets(call):
                    if planned.times is not None:
                        planned.times -= 1
                    return planned
        return None

    def _plan(self, planned: Planned) -> None:
        with self._lock:
            self._planned.append(planned)
