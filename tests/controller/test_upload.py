"""A log reaches the API once, whoever puts it there and however often that begins again."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.client import ApiClient
from sparktest.controller import upload
from sparktest.controller.place import GAP
from sparktest.controller.upload import Pace, StoppedError, Upload
from sparktest.errors import (
    GoneError,
    OffsetError,
    RateLimitedError,
    SparkTestError,
    TooLargeError,
    UnavailableError,
)
from tests.controller.log_store import LogStore

NOW = Pace(first_retry=0.0, last_retry=0.0)
PIECES = st.lists(st.binary(min_size=1, max_size=20), max_size=6)


def upload_to(store: LogStore, *, stopping: Event | None = None, pace: Pace = NOW) -> Upload:
    client = cast("ApiClient", store)
    return Upload(client, "run", "test", stopping=stopping or Event(), pace=pace)


def put(store: LogStore, *pieces: bytes) -> Upload:
    """An upload that has put these pieces there."""
    made = upload_to(store)
    for piece in pieces:
        made.append(piece)
    return made


@contextmanager
def sizes(chunk: int, seam: int) -> Iterator[None]:
    """With these a few bytes are a long log."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upload, "CHUNK", chunk)
        patch.setattr(upload, "SEAM", seam)
        yield


@pytest.fixture
def small() -> Iterator[None]:
    with sizes(10, 4):
        yield


@pytest.mark.usefixtures("small")
def test_a_log_that_comes_in_pieces_is_stored_as_it_is() -> None:
    store = LogStore()
    made = put(store, b"one\n", b"x" * 35, b"\n")
    assert store.stored == b"one\n" + b"x" * 35 + b"\n"
    assert (made.stored, made.gaps) == (40, 0)


@given(PIECES, PIECES, st.integers(0, 120), st.integers(1, 9), st.integers(0, 9))
def test_a_controller_that_starts_anew_adds_only_what_is_missing(
    first: list[bytes], more: list[bytes], died_after: int, sent: int, seam: int
) -> None:
    whole = b"".join(first + more)
    store = LogStore()
    store.stored = whole[:died_after]
    with sizes(sent, seam):
        made = put(store, *first, *more)
    assert store.stored == whole
    assert made.gaps == 0
    assert not whole or made.stored == len(whole)


@given(st.binary(max_size=60), st.data(), st.integers(1, 9), st.integers(0, 9))
def test_two_that_put_the_same_log_there_store_each_byte_once(
    whole: bytes, data: st.DataObject, sent: int, seam: int
) -> None:
    store = LogStore()
    uploads = [(upload_to(store), whole), (upload_to(store), whole)]
    while uploads:
        which = data.draw(st.integers(0, len(uploads) - 1))
        made, rest = uploads.pop(which)
        size = data.draw(st.integers(1, 30))
        with sizes(sent, seam):
            made.append(rest[:size])
        if rest[size:]:
            uploads.append((made, rest[size:]))
        assert made.gaps == 0
    assert store.stored == whole


@given(PIECES, st.lists(st.sampled_from(["before", "after", None]), max_size=12))
def test_lost_calls_and_lost_answers_change_nothing(
    pieces: list[bytes], faults: list[str | None]
) -> None:
    away = UnavailableError("away")
    lost: dict[str | None, Any] = {"before": away, "after": (away,), None: None}
    store = LogStore(*(lost[fault] for fault in faults))
    assert put(store, *pieces).gaps == 0
    assert store.stored == b"".join(pieces)


@pytest.mark.usefixtures("small")
def test_a_log_whose_beginning_was_rotated_away_goes_on_behind_a_line_that_says_so() -> None:
    store = LogStore()
    store.stored = b"what the last controller saw\n"
    made = put(store, b"what is left ", b"of the log, and more of it\n")
    rest = b"what is left of the log, and more of it\n"
    assert store.stored == b"what the last controller saw\n" + GAP + rest
    assert (made.gaps, made.stored) == (1, len(store.stored))


@pytest.mark.usefixtures("small")
def test_a_log_that_differs_only_at_the_end_of_what_is_stored_is_noticed() -> None:
    store = LogStore()
    store.stored = b"the same beginning, old"
    made = put(store, b"the same beginning, new\n")
    assert made.gaps == 1
    assert store.stored.startswith(b"the same beginning, old" + GAP)
    assert store.stored.endswith(b"new\n")


@pytest.mark.usefixtures("small")
def test_what_lies_between_the_ends_of_what_is_stored_is_not_sent_again() -> None:
    class Counting(LogStore):
        sent = 0

        def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
            self.sent += len(data)
            return super().append_log(run_id, container, offset, data)

    store = Counting()
    store.stored = b"0123456789" * 10
    put(store, store.stored + b"new")
    assert store.stored == b"0123456789" * 10 + b"new"
    assert store.sent == upload.CHUNK + upload.SEAM + len(b"new")


def test_a_log_that_never_joins_is_given_up() -> None:
    class Restless(LogStore):
        """Somebody else puts other bytes there, always just before."""

        def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
            self.stored += b"?"
            return super().append_log(run_id, container, offset, data)

    store = Restless()
    with pytest.raises(OffsetError):
        put(store, b"text")
    assert b"text" not in store.stored


@pytest.mark.parametrize("error", [GoneError("deleted"), TooLargeError("too large")])
def test_a_refusal_that_no_waiting_heals_is_raised(error: SparkTestError) -> None:
    with pytest.raises(type(error)):
        put(LogStore(error), b"text")


def test_the_wait_that_the_api_asks_for_is_kept() -> None:
    waits: list[float | None] = []

    class Stopping(Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return False

    busy = [RateLimitedError("busy", retry_after=seconds) for seconds in (7.0, 0.1, None, None)]
    store = LogStore(*busy)
    made = upload_to(store, stopping=Stopping(), pace=Pace(first_retry=1.0, last_retry=3.0))
    made.append(b"text")
    assert waits == [7.0, 2.0, 3.0, 3.0]
    assert store.stored == b"text"


def test_a_stop_ends_the_waiting_and_leaves_what_is_stored_to_the_next() -> None:
    stopping, store = Event(), LogStore(None, UnavailableError("away"))
    made = upload_to(store, stopping=stopping, pace=Pace(first_retry=60.0))
    made.append(b"one\n")
    stopping.set()
    with pytest.raises(StoppedError):
        made.append(b"two\n")
    assert store.stored == b"one\n"
    put(store, b"one\n", b"two\n")
    assert store.stored == b"one\ntwo\n"
