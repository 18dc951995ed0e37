"""A watch: the events of a kind from a version on, for one client."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sparktest.devcluster.api_errors import StatusError, bad_request, expired
from sparktest.devcluster.entries import Entry, Event
from sparktest.devcluster.history import History
from sparktest.devcluster.kinds import Kind
from sparktest.devcluster.selectors import Test
from sparktest.devcluster.store import Store

BOOKMARK_SECONDS = 30.0
# How often the writer of a silent stream gets to see whether anybody still listens.
LOOK_UP_SECONDS = 5.0
LONGEST_SECONDS = (1800, 3600)

Render = Callable[[Entry], bytes]


class WatchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asked for: `version` None means everything there is, first."""

    namespace: str = ""
    version: int | None = None
    test: Test | None = None
    timeout_seconds: float | None = None
    bookmarks: bool = False
    mark_initial: bool = False


def version_of(text: str) -> int | None:
    """The version that a query names; None for none and for 0, which both mean any.

    Raises:
        StatusError: 400, it is no version.
    """
    if text in ("", "0"):
        return None
    if not text.isdecimal():
        raise bad_request(f"resourceVersion: Invalid value: {text!r}: must be a number")
    return int(text)


def watch(
    store: Store, kind: Kind, options: WatchOptions, render: Render
) -> Iterator[bytes | None]:
    """The lines of the stream as they come, joined; None now and then while nothing happens."""
    history = store.history(kind.key)
    seconds = options.timeout_seconds or random.uniform(*LONGEST_SECONDS)  # noqa: S311
    end = time.monotonic() + seconds
    with store.lock:
        current = store.version
        initial = store.entries(kind.key, options.namespace) if options.version is None else []
    if options.version is not None and options.version > current:
        yield error_line(expired(f"Too large resource version: {options.version}"))
        return
    version = current if options.version is None else options.version
    chosen = [entry for entry in initial if not options.test or options.test(entry)]
    lines = [line("ADDED", render(entry)) for entry in chosen]
    if options.mark_initial:
        lines.append(bookmark(kind, version, initial=True))
    yield b"".join(lines) or None
    marked = time.monotonic()
    while (now := time.monotonic()) < end:
        events = history.after(version, min(LOOK_UP_SECONDS, end - now))
        if events is None:
            yield error_line(expired(f"too old resource version: {version} ({history.floor})"))
            return
        if events:
            version = events[-1].entry.version
        lines = [text for event in events if (text := _line(event, options, render))]
        if options.bookmarks and time.monotonic() - marked >= BOOKMARK_SECONDS:
            marked = time.monotonic()
            version = _seen(store, history, version)
            lines.append(bookmark(kind, version))
        yield b"".join(lines) or None
    if options.bookmarks:
        yield bookmark(kind, version)


def _seen(store: Store, history: History, version: int) -> int:
    """The version up to which this stream knows everything, though it may be of other kinds."""
    with store.lock:
        return version if history.after(version, 0) else store.version


def _line(event: Event, options: WatchOptions, render: Render) -> bytes:
    """The event as this client sees it; empty where it does not concern it."""
    entry, before = event.entry, event.before
    if options.namespace and entry.namespace != options.namespace:
        return b""
    if options.test is None:
        return line(event.type, render(entry))
    was = before is not None and options.test(before)
    now = event.type != "DELETED" and options.test(entry)
    if was and now:
        return line("MODIFIED", render(entry))
    if now:
        return line("ADDED", render(entry))
    return line("DELETED", render(entry)) if was else b""


def line(kind: str, raw: bytes) -> bytes:
    """One line of a stream."""
    return b'{"type":"' + kind.encode() + b'","object":' + raw + b"}\n"


def bookmark(kind: Kind, version: int, *, initial: bool = False) -> bytes:
    """A line that says how far the stream is."""
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    document = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
    return line("BOOKMARK", msgspec.json.encode(document))


def error_line(error: StatusError) -> bytes:
    """A line that ends a stream with an error."""
    return line("ERROR", msgspec.json.encode(error.document()))
