"""Watches: the events of one kind after a version, as a stream for one client."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sparktest.devcluster.api_errors import StatusError, bad_request, expired
from sparktest.devcluster.kinds import Kind
from sparktest.devcluster.selectors import Predicate
from sparktest.devcluster.store import History, Store
from sparktest.devcluster.stored_objects import StoredObject, WatchEvent

BOOKMARK_SECONDS = 30.0
# A silent stream yields None this often, so that the server notices a closed connection.
YIELD_SECONDS = 5.0
DEFAULT_TIMEOUT_SECONDS = (1800, 3600)

Render = Callable[[StoredObject], bytes]


class WatchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a watch.

    `version`: the version to continue after; None lists all objects first.
    `mark_initial`: end that list with a bookmark (sendInitialEvents).
    """

    namespace: str = ""
    version: int | None = None
    predicate: Predicate | None = None
    timeout_seconds: float | None = None
    bookmarks: bool = False
    mark_initial: bool = False


def parse_version(text: str) -> int | None:
    """Return a resourceVersion parameter as a number; None for "" and "0", which mean any.

    Raises:
        StatusError: 400, it is not a number.
    """
    if text in ("", "0"):
        return None
    if not text.isdecimal():
        raise bad_request(f"resourceVersion: Invalid value: {text!r}: must be a number")
    return int(text)


def watch(
    store: Store, kind: Kind, options: WatchOptions, render: Render
) -> Iterator[bytes | None]:
    """Yield lines of the stream, several at a time, and None at intervals without events."""
    history = store.history(kind.key)
    seconds = options.timeout_seconds or random.uniform(*DEFAULT_TIMEOUT_SECONDS)  # noqa: S311
    end = time.monotonic() + seconds
    with store.lock:
        current = store.version
        initial = store.objects(kind.key, options.namespace) if options.version is None else []
    if options.version is not None and options.version > current:
        yield error_line(expired(f"Too large resource version: {options.version}"))
        return
    version = current if options.version is None else options.version
    chosen = [stored for stored in initial if not options.predicate or options.predicate(stored)]
    lines = [line("ADDED", render(stored)) for stored in chosen]
    if options.mark_initial:
        lines.append(bookmark(kind, version, initial=True))
    yield b"".join(lines) or None
    marked = time.monotonic()
    while (now := time.monotonic()) < end:
        events = history.after(version, min(YIELD_SECONDS, end - now))
        if events is None:
            yield error_line(expired(f"too old resource version: {version} ({history.floor})"))
            return
        if events:
            version = events[-1].object.version
        lines = [text for event in events if (text := _event_line(event, options, render))]
        if options.bookmarks and time.monotonic() - marked >= BOOKMARK_SECONDS:
            marked = time.monotonic()
            version = _known_version(store, history, version)
            lines.append(bookmark(kind, version))
        yield b"".join(lines) or None
    if options.bookmarks:
        yield bookmark(kind, version)


def _known_version(store: Store, history: History, version: int) -> int:
    """Return the version of the store if the stream has sent every event up to it."""
    with store.lock:
        return version if history.after(version, 0) else store.version


def _event_line(event: WatchEvent, options: WatchOptions, render: Render) -> bytes:
    """Return the line for an event; empty if no object that the client selected is affected."""
    stored, before = event.object, event.before
    if options.namespace and stored.namespace != options.namespace:
        return b""
    if options.predicate is None:
        return line(event.type, render(stored))
    selected_before = before is not None and options.predicate(before)
    selected_now = event.type != "DELETED" and options.predicate(stored)
    if selected_before and selected_now:
        return line("MODIFIED", render(stored))
    if selected_now:
        return line("ADDED", render(stored))
    return line("DELETED", render(stored)) if selected_before else b""


def line(kind: str, raw: bytes) -> bytes:
    """Return one line of a stream."""
    return b'{"type":"' + kind.encode() + b'","object":' + raw + b"}\n"


def bookmark(kind: Kind, version: int, *, initial: bool = False) -> bytes:
    """Return a BOOKMARK line; `initial` marks the end of the initial list."""
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    document = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
    return line("BOOKMARK", msgspec.json.encode(document))


def error_line(error: StatusError) -> bytes:
    """Return an ERROR line, which ends a stream."""
    return line("ERROR", msgspec.json.encode(error.document()))
