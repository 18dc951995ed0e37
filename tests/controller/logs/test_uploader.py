from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs import uploader
from sparktest.controller.logs.cursor import GAP
from sparktest.controller.logs.uploader import LogUploader, RestoredError
from sparktest.domain import Log, LogState
from sparktest.errors import (
    ConflictError,
    NotFoundError,
    OffsetError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
)
from tests.controller.logs.fake_log_store import LogStore

AT_ONCE = Backoff(first=0.0, cap=0.0)
PIECES = st.lists(st.binary(min_size=1, max_size=20), max_size=6)


def uploader_to(store: LogStore, *, backoff: Backoff = AT_ONCE) -> LogUploader:
    client = cast("ApiClient", store)
    return LogUploader(client, "run", "c", appends=Semaphore(1), backoff=backoff)


def append(made: LogUploader, data: bytes) -> list[float]:
    """Append without waiting; return the waits."""
    return list(made.append(data))


def upload(store: LogStore, *pieces: bytes) -> LogUploader:
    """Upload these pieces; return the uploader."""
    made = uploader_to(store)
    for piece in pieces:
        append(made, piece)
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
            append(made, rest[:size])
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
        append(made, b"two\n")
    assert upload(store, b"one\n", b"two\n").gaps == 0
    assert store.stored == b"one\ntwo\n"


def test_a_stored_log_is_complete_unless_there_is_a_reason() -> None:
    made = upload(LogStore(), b"text")
    assert made.log(None) == Log(state=LogState.COMPLETE, bytes=4)
    assert made.log("Cut") == Log(state=LogState.PARTIAL, reason="Cut", bytes=4)
    assert uploader_to(LogStore()).log("NoLog") == Log(state=LogState.NONE, reason="NoLog")


def test_retry_after_is_respected() -> None:
    busy = [RateLimitedError("busy", retry_after=seconds) for seconds in (7.0, 0.1, None, None)]
    store = LogStore(*busy)
    waits = append(uploader_to(store, backoff=Backoff(first=1.0, cap=3.0)), b"text")
    assert waits[0] == 7.0
    assert 1.0 <= waits[1] <= 2.0
    assert all(1.5 <= wait <= 3.0 for wait in waits[2:])
    assert store.stored == b"text"


def test_no_more_threads_wait_for_the_api_than_are_allowed() -> None:
    appends, store = Semaphore(1), LogStore()
    made = LogUploader(cast("ApiClient", store), "run", "c", appends=appends, backoff=AT_ONCE)
    appends.acquire()
    waiting = made.append(b"text")
    assert next(waiting) == next(waiting) > 0
    assert store.stored == b""
    appends.release()
    assert list(waiting) == []
    assert store.stored == b"text"
    assert appends.acquire(blocking=False)
