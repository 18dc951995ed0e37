"""The streams of the API: followed logs, and what happens to runs."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from sparktest.backoff import Backoff
from sparktest.domain import Run
from sparktest.errors import SparkTestError, UnavailableError
from sparktest.event_stream import MIMETYPE, ServerEvent, log_bytes
from sparktest.http import HttpTransport, StreamTimeoutError

BACKOFF = Backoff(first=0.5, cap=30.0)
# An API without log events sends text.
LOG_FORMATS = f"{MIMETYPE}, text/plain;q=0.9"


class RunEvent(msgspec.Struct, frozen=True):
    """What happened to a run.

    Attributes:
        kind: created, updated, deleted; or resync: events were missed, read all runs again.
        id: continue after it with `last_id`.
        run_id: the id of the run; "" for resync.
        run: its newest state; None for deleted and resync.
    """

    kind: str
    id: str
    run_id: str = ""
    run: Run | None = None


class _Deleted(msgspec.Struct):
    id: str


def follow_log(
    http: HttpTransport, path: str, container: str | None, offset: int
) -> Iterator[bytes]:
    """Yield a log from `offset` on, until its run has ended; see `ApiClient.follow_log`."""
    while True:
        params = {"container": container, "follow": "true", "offset": offset}
        ended, as_events = False, False
        try:
            for part in http.stream(path, params, accept=LOG_FORMATS):
                as_events = isinstance(part, ServerEvent)
                ended = isinstance(part, ServerEvent) and part.kind == "end"
                chunk = _log_part(part)
                if chunk:
                    offset += len(chunk)
                    yield chunk
        except StreamTimeoutError:
            continue
        if as_events and not ended:
            raise UnavailableError("the log stream was interrupted")
        return


def run_events(
    http: HttpTransport,
    filters: Mapping[str, Sequence[str]],
    last_id: str | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[RunEvent]:
    """Yield what happens to runs, without an end; see `ApiClient.events`."""
    failures = 0
    while True:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        try:
            for part in http.stream("/test-runs/events", dict(filters), accept=MIMETYPE, **headers):
                if not isinstance(part, ServerEvent):
                    raise UnavailableError(f"{http.url} did not send events")
                failures, last_id = 0, part.id or last_id
                if event := _run_event(http, part):
                    yield event
        except SparkTestError as error:
            if not error.retryable:
                raise
        pause(BACKOFF.delay(failures))
        failures += 1


def _log_part(part: bytes | ServerEvent) -> bytes:
    if isinstance(part, bytes):
        return part
    return log_bytes(part) if part.kind == "log" else b""


def _run_event(http: HttpTransport, event: ServerEvent) -> RunEvent | None:
    """Return the event, None for one that later versions of the API may add."""
    if event.kind in ("created", "updated"):
        run = http.decode(event.data, Run)
        return RunEvent(event.kind, event.id, run.id, run)
    if event.kind == "deleted":
        return RunEvent(event.kind, event.id, http.decode(event.data, _Deleted).id)
    return RunEvent(event.kind, event.id) if event.kind == "resync" else None
