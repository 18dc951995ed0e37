"""Options of an informer: its timings, and which objects it does not cache."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import msgspec

from sparktest.backoff import Backoff
from sparktest.controller.object_cache import Entry, NamespacedName

T = TypeVar("T")


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Retry delays and the duration of watches.

    Attributes:
        backoff: delays after consecutive failures.
        reset_seconds: without a failure for this time, the back-off starts again.
        not_installed_seconds: between two attempts to list a kind that is not installed.
        watch_seconds: shortest and longest duration of a watch.
    """

    backoff: Backoff = Backoff(first=0.8, cap=30.0)
    reset_seconds: float = 120.0
    not_installed_seconds: float = 15.0
    watch_seconds: tuple[int, int] = (300, 600)


class Skip(NamedTuple, Generic[T]):
    """Which objects are neither cached nor reported, unless they are cached already.

    Attributes:
        skips: return True for such an object.
        deleted: called for every object that was deleted, cached or not.
        listed: called after a list with the names of all that were skipped, the namespace and the
            version of the list.
        restored: called before a list of an older version: etcd was restored to an older state.
    """

    skips: Callable[[Entry[T]], bool] = lambda entry: False
    deleted: Callable[[Entry[T]], None] = lambda entry: None
    listed: Callable[[set[NamespacedName], str | None, int], None] = lambda *_: None
    restored: Callable[[], None] = lambda: None
