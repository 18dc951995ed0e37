"""Faults that a test injects. Only a holder of this object can: no route leads to it."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

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
WRITES = ("create", "update", "patch", "delete", "deletecollection")


class Call(msgspec.Struct, frozen=True):
    """What a request asks for: `get`, `list`, `watch`, `create`, …, of `jobs` or `pods/log`."""

    verb: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""


class LostReplyError(Exception):
    """The request was carried out and the answer goes nowhere."""


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """The calls that a fault is meant for; what is not named may be anything.

    Args:
        times: how many of them it meets, None for all.
        share: how many of those chance picks, 0.3 for three of ten.
    """

    verbs: tuple[str, ...] = ()
    resource: str = ""
    name: str = ""
    times: int | None = 1
    share: float = 1.0

    def include(self, call: Call) -> bool:
        """Whether this is one of them."""
        return (
            (not self.verbs or call.verb in self.verbs)
            and self.resource in ("", call.resource)
            and self.name in ("", call.name)
        )


ANY = Calls()


class Planned(msgspec.Struct):
    """A fault that waits for its calls: `left` more of them, None for ever."""

    calls: Calls
    left: int | None
    seconds: float = 0
    code: int = 0
    retry_after: float | None = None
    lose: bool = False

    def check(self) -> None:
        """Raise the error that is the answer, if one is."""
        if self.code:
            reason = REASONS.get(self.code, "InternalError")
            text = f"injected: {reason}"
            raise StatusError(self.code, reason, text, retry_after=self.retry_after)


class Faults:
    """What goes wrong, and `seen`: how often each (verb, resource) was called."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        self.on_change: Callable[[], None] = lambda: None
        self._planned: list[Planned] = []
        self._chance = random.Random(1)  # noqa: S311 (the same in every run)
        self._lock = threading.Lock()
        self._opened = self._dropped = self._frozen = 0

    def answer(self, code: int, calls: Calls = ANY, *, retry_after: float | None = None) -> None:
        """Answer with an error instead of carrying the call out."""
        self._plan(calls, code=code, retry_after=retry_after)

    def lose_reply(self, calls: Calls = ANY) -> None:
        """Carry the call out and close the connection without an answer."""
        self._plan(calls, lose=True)

    def delay(self, seconds: float, calls: Calls = ANY) -> None:
        """Let the call wait before it is carried out."""
        self._plan(calls, seconds=seconds)

    def clear(self) -> None:
        """Nothing goes wrong any more; frozen watches flow again."""
        with self._lock:
            self._planned.clear()
        self.thaw_watches()

    def drop_watches(self) -> None:
        """Cut the connection of every open watch and follower."""
        self._dropped = self._opened
        self.on_change()

    def freeze_watches(self) -> None:
        """Leave the watches and followers that are open open, and send nothing on them."""
        self._frozen = self._opened

    def thaw_watches(self) -> None:
        """Send on, beginning with what was held back."""
        self._frozen = 0

    def opened(self) -> int:
        """The number of a watch or follower that opens now."""
        with self._lock:
            self._opened += 1
            return self._opened

    def dropped(self, number: int) -> bool:
        """Whether this watch is to be cut."""
        return number <= self._dropped

    def frozen(self, number: int) -> bool:
        """Whether nothing is to be sent on this watch."""
        return number <= self._frozen

    def take(self, call: Call) -> Planned | None:
        """The fault for this call, which is counted."""
        with self._lock:
            self.seen[call.verb, call.resource] += 1
            for planned in self._planned:
                if planned.left == 0 or not planned.calls.include(call):
                    continue
                if self._chance.random() < planned.calls.share:
                    planned.left = None if planned.left is None else planned.left - 1
                    return planned
        return None

    def _plan(self, calls: Calls, **what: Any) -> None:
        with self._lock:
            self._planned.append(Planned(calls, calls.times, **what))
