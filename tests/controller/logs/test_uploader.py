from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs import uploader
from sparktest.controller.logs.buffer import Buffer
from sparktest.controller.logs.cursor import GAP
from sparktest.controller.logs.uploader import LogUploader, RestoredError, StoppedError
from sparktest.domain import Log, LogState
from sparktest.errors import (
    ConflictError,
    GoneError,
    NotFoundError,
    OffsetError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
)
from tests.controller.logs.fake_log_store import LogStore

AT_ONCE = Backoff(first=0.0, cap=0.0)
PIECES = st.lists(st.binary(min_size=1, max_size=20), max_size=6)


def uploader_to(
    store: LogStore, *, stopping: Event | None = None, backoff: Backoff = AT_ONCE
) -> LogUploader:
    client = cast("ApiClient", store)
    return LogUploader(client, "run", "c", stopping=stopping or Event(), backoff=backoff)


def upload(store: LogStore, *pieces: bytes) -> LogUploader:
    """Upload these pieces; return the uploader."""
    made = uploader_to(store)
    for piece in pieces:
        made.append(piece)
    return made


@contextmanager
def sizes(chunk: int, overlap: int) -> Iterator[None]:
    """Set the sizes of chunks and of the overlap in bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploader, "MAX_CHUNK_BYTES", chunk)
        patch.setattr(uploader, "OVERLAP_BYTES", overlap)
        yield


@pytest.fixture
def small() -> Iterator[None]:
    with sizes(10, 4):
        yield


@pytest.mark.usefixtures("small")
def test_a_log_in_pieces_is_stored_unchanged() -> None:
    store = LogStore()
    made = upload(store, b"one\n", b"x" * 35, b"\n")
    assert store.stored == b"one\n" + b"x" * 35 + b"\n"
    assert (made.stored, made.gaps) == (40, 0)


@given(PIECES, PIECES, st.integers(0, 120), st.integers(1, 9), st.integers(0, 9))
def test_a_restarted_controller_appends_only_what_is_missing(
    first: list[bytes], more: list[bytes], died_after: int, sent: int, overlap: int
) -> None:
    whole = b"".join(first + more)
    store = LogStore()
    store.stored = whole[:died_after]
    with sizes(sent, overlap):
        made = upload(store, *first, *more)
    assert store.stored == whole
    assert made.gaps == 0
    assert not whole or made.stored == len(whole)


@given(st.binary(max_size=60), st.data(), st.integers(1, 9), st.integers(0, 9))
def test_two_uploaders_of_the_same_log_store_each_byte_once(
    whole: bytes, data: st.DataObject, sent: int, overlap: int
) -> None:
    store = LogStore()
    uploads = [(uploader_to(store), whole), (uploader_to(store), whole)]
    while uploads:
        which = data.draw(st.integers(0, len(uploads) - 1))
        made, rest = uploads.pop(which)
        size = data.draw(st.integers(1, 30))
        with sizes(sent, overlap):
            made.append(rest[:size])
        if rest[size:]:
            uploads.append((made, rest[size:]))
        assert made.gaps == 0
    assert store.stored == whole


@given(PIECES, st.lists(st.sampled_from(["before", "after", None]), max_size=12))
def test_lost_requests_and_lost_responses_change_nothing(
    pieces: list[bytes], faults: list[str | None]
) -> None:
    error = UnavailableError("unreachable")
    lost: dict[str | None, Any] = {"before": error, "after": (error,), None: None}
    store = LogStore(*(lost[fault] for fault in faults))
    assert upload(store, *pieces).gaps == 0
    assert store.stored == b"".join(pieces)


@pytest.mark.usefixtures("small")
def test_a_log_whose_beginning_was_rotated_away_continues_after_a_gap_line() -> None:
    store = LogStore()
    store.stored = b"what the last controller saw\n"
    made = upload(store, b"what is left ", b"of the log, and more of it\n")
    rest = b"what is left of the log, and more of it\n"
    assert store.stored == b"what the last controller saw\n" + GAP + rest
    assert (made.gaps, made.stored) == (1, len(store.stored))


@pytest.mark.usefixtures("small")
def test_a_difference_at_the_end_of_what_is_stored_is_a_gap() -> None:
    store = LogStore()
    store.stored = b"the same beginning, old"
    made = upload(store, b"the same beginning, new\n")
    assert made.gaps == 1
    assert store.stored.startswith(b"the same beginning, old" + GAP)
    assert store.stored.endswith(b"new\n")


@pytest.mark.usefixtures("small")
def test_only_the_ends_of_what_is_stored_are_sent_again() -> None:
    class Counting(LogStore):
        sent = 0

        def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
            self.sent += len(data)
            return super().append_log(run_id, container, offset, data)

    store = Counting()
    store.stored = b"0123456789" * 10
    upload(store, store.stored + b"new")
    assert store.stored == b"0123456789" * 10 + b"new"
    assert store.sent == uploader.MAX_CHUNK_BYTES + uploader.OVERLAP_BYTES + len(b"new")


def test_a_log_that_never_continues_what_is_stored_is_given_up() -> None:
    class OtherWriter(LogStore):
        """Another writer appends other bytes just before each call."""

        calls = 0

        def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
            self.calls += 1
            assert self.calls <= 10, "the uploader never gives up"
            self.stored += b"?"
            return super().append_log(run_id, container, offset, data)

    store = OtherWriter()
    with pytest.raises(OffsetError):
        upload(store, b"text")
    assert b"text" not in store.stored


def test_a_log_is_sent_in_smaller_chunks_through_a_proxy_that_accepts_no_larger_ones() -> None:
    class Proxy(LogStore):
        def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
            if len(data) > 5000:
                raise TooLargeError("413 Request Entity Too Large")
            return super().append_log(run_id, container, offset, data)

    store, whole = Proxy(), b"0123456789" * 10_000
    upload(store, whole, b"end\n")
    assert store.stored == whole + b"end\n"


@pytest.mark.usefixtures("small")
def test_a_refused_chunk_is_sent_again_and_nothing_twice() -> None:
    store = LogStore(None, TooLargeError("413"), NotFoundError("404"), ConflictError("409"))
    made = upload(store, b"x" * 35, b"y\n")
    assert store.stored == b"x" * 35 + b"y\n"
    assert made.gaps == 0


@pytest.mark.parametrize("kept", [0, 2])
def test_an_api_that_lost_what_it_had_confirmed_gets_the_log_again(kept: int) -> None:
    store = LogStore()
    made = upload(store, b"one\n")
    store.stored = store.stored[:kept]
    with pytest.raises(RestoredError):
        made.append(b"two\n")
    assert upload(store, b"one\n", b"two\n").gaps == 0
    assert store.stored == b"one\ntwo\n"


def ended_buffer(data: bytes, incomplete_reason: str | None = None) -> Buffer:
    buffer = Buffer()
    buffer.put(data)
    buffer.end(incomplete_reason)
    return buffer


def test_a_stored_log_is_complete_unless_there_is_a_reason() -> None:
    complete, partial = (
        uploader_to(LogStore()).store(ended_buffer(b"text", reason)) for reason in (None, "Cut")
    )
    assert complete == Log(state=LogState.COMPLETE, bytes=4)
    assert partial == Log(state=LogState.PARTIAL, reason="Cut", bytes=4)
    nothing = uploader_to(LogStore()).store(ended_buffer(b"", "NoLog"))
    assert nothing == Log(state=LogState.NONE, reason="NoLog")


def test_a_log_of_a_deleted_run_stops_the_reading_thread() -> None:
    buffer = ended_buffer(b"text")
    with pytest.raises(GoneError):
        uploader_to(LogStore(GoneError("deleted"))).store(buffer)
    assert not buffer.put(b"more")


def test_a_stopped_upload_has_no_result() -> None:
    stopping, buffer = Event(), Buffer()
    stopping.set()
    buffer.stop()
    with pytest.raises(StoppedError):
        uploader_to(LogStore(), stopping=stopping).store(buffer)


def test_retry_after_is_respected() -> None:
    waits: list[float] = []

    class Stopping(Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return False

    busy = [RateLimitedError("busy", retry_after=seconds) for seconds in (7.0, 0.1, None, None)]
    store = LogStore(*busy)
    made = uploader_to(store, stopping=Stopping(), backoff=Backoff(first=1.0, cap=3.0))
    made.append(b"text")
    assert waits[0] == 7.0
    assert 1.0 <= waits[1] <= 2.0
    assert all(1.5 <= wait <= 3.0 for wait in waits[2:])
    assert store.stored == b"text"


def test_a_stop_ends_the_retries_and_the_next_controller_resumes() -> None:
    stopping, store = Event(), LogStore(None, UnavailableError("unreachable"))
    made = uploader_to(store, stopping=stopping, backoff=Backoff(first=60.0, cap=60.0))
    made.append(b"one\n")
    stopping.set()
    with pytest.raises(StoppedError):
        made.append(b"two\n")
    assert store.stored == b"one\n"
    upload(store, b"one\n", b"two\n")
    assert store.stored == b"one\ntwo\n"
