from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.controller.logs import cursor as module
from sparktest.controller.logs.cursor import GAP, LogCursor

# Slightly more than the length of a timestamp, so that most lines are long lines.
SHORT = 40
PART = st.sampled_from([b"", b"a", b"\r", b"\xff\x00", b"x" * 45, b"2026-11-24T12:00:00.5Z "])
TEXT = st.lists(PART, max_size=3).map(b"".join)


@pytest.fixture(autouse=True, scope="module")
def short_long_line() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LONG_LINE", SHORT)
        yield


class Burst(NamedTuple):
    """Lines with the same timestamp."""

    stamp: bytes
    texts: list[bytes]

    @property
    def text(self) -> bytes:
        return b"".join(text + b"\n" for text in self.texts)

    @property
    def stamped(self) -> bytes:
        return b"".join(self.stamp + b" " + text + b"\n" for text in self.texts)


class File(NamedTuple):
    """A log file of the kubelet: bursts of lines; the last line may have no end."""

    bursts: list[Burst]
    ended: bool = True

    @property
    def text(self) -> bytes:
        return self._cut(b"".join(burst.text for burst in self.bursts))

    def since(self, second: str | None) -> bytes:
        """Return what the kubelet sends for `sinceTime`."""
        wanted = (second or "").removesuffix("Z").encode()
        found = [burst.stamped for burst in self.bursts if burst.stamp[:19] >= wanted]
        return self._cut(b"".join(found))

    def _cut(self, text: bytes) -> bytes:
        return text if self.ended else text[:-1]


@st.composite
def bursts(draw: Any) -> list[Burst]:
    """Draw bursts that are ordered by second only, like the lines of stdout and stderr."""
    moments = st.tuples(st.integers(0, 2), st.integers(0, 3))
    drawn = draw(st.lists(moments, unique=True, min_size=1, max_size=6))
    drawn.sort(key=lambda moment: moment[0])
    return [
        Burst(b"2026-11-24T12:00:%02d.%09dZ" % moment, draw(st.lists(TEXT, min_size=1, max_size=4)))
        for moment in drawn
    ]


def pieces(draw: Any, data: bytes) -> Iterator[bytes]:
    """Yield the bytes in chunks of a random size."""
    size = draw(st.sampled_from([1, 3, 17, 64, 1000]))
    first = draw(st.integers(0, size))
    yield from filter(None, (data[:first], *batches(data[first:], size)))


def batches(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read_some(draw: Any, cursor: LogCursor, data: bytes) -> bytes:
    """Return the text of a stream that breaks after any byte."""
    broken = data[: draw(st.integers(0, len(data)))]
    return b"".join(cursor.feed(chunk) for chunk in pieces(draw, broken))


def read_to_the_end(draw: Any, cursor: LogCursor, data: bytes) -> bytes:
    return b"".join(cursor.feed(chunk) for chunk in pieces(draw, data)) + cursor.finish()


@given(st.data(), bursts(), st.booleans(), st.integers(0, 4))
def test_the_text_is_the_same_for_any_chunks_and_interruptions(
    data: st.DataObject, written: list[Burst], ended: bool, breaks: int
) -> None:
    file, cursor, text = File(written, ended), LogCursor(), b""
    for _ in range(breaks):
        text += read_some(data.draw, cursor, file.since(cursor.since))
        cursor.resume()
    text += read_to_the_end(data.draw, cursor, file.since(cursor.since))
    assert text == file.text
    assert cursor.gaps == 0


@given(st.data(), bursts(), st.integers(0, 6), st.integers(0, 2))
def test_a_position_that_was_rotated_away_is_marked_once_and_nothing_is_repeated(
    data: st.DataObject, written: list[Burst], rotated: int, breaks: int
) -> None:
    file, cursor = File(written), LogCursor()
    before = read_some(data.draw, cursor, file.since(None))
    at = [burst.stamp + b" " for burst in written].index(cursor.stamp) if cursor.stamp else -1
    left, after = File(written[rotated:]), b""
    for _ in range(breaks):
        cursor.resume()
        after += read_some(data.draw, cursor, left.since(cursor.since))
    cursor.resume()
    after += read_to_the_end(data.draw, cursor, left.since(cursor.since))
    if at == -1:  # nothing had been read, so nothing is known to be missing
        assert (after, cursor.gaps) == (left.text, 0)
    elif at >= rotated:
        assert (before + after, cursor.gaps) == (file.text, 0)
    else:
        newline = b"\n" if before and not before.endswith(b"\n") else b""
        assert (after, cursor.gaps) == (newline + GAP + left.text, 1)


@given(st.data(), bursts(), st.integers(1, 5), st.booleans())
def test_the_next_file_continues_where_the_last_one_ended(
    data: st.DataObject, written: list[Burst], cut: int, complete: bool
) -> None:
    old, new, cursor = File(written[:cut]), File(written[cut:]), LogCursor()
    stream = old.since(None)
    if complete:
        text = b"".join(cursor.feed(chunk) for chunk in pieces(data.draw, stream))
    else:
        text = read_some(data.draw, cursor, stream)
    text += cursor.next_file(complete=complete)
    text += read_some(data.draw, cursor, new.since(None))
    cursor.resume()
    text += read_to_the_end(data.draw, cursor, File(written).since(cursor.since))
    assert cursor.gaps == (not complete)
    if complete:
        assert text == File(written).text
    else:
        first, gap, rest = text.partition(GAP)
        assert gap
        assert old.text.startswith(first.removesuffix(b"\n"))
        assert rest.endswith(new.text)


def test_a_gap_is_marked_once_when_the_next_file_comes_while_catching_up() -> None:
    cursor = LogCursor()
    cursor.feed(b"2026-11-24T12:00:00.1Z one\n")
    cursor.resume()
    cursor.feed(b"2026-11-24T12:00:00.3Z three\n")
    assert cursor.next_file(complete=False) == GAP + b"three\n"
    assert cursor.feed(b"2026-11-24T12:00:09.1Z nine\n") == b"nine\n"
    assert cursor.gaps == 1


def test_lines_without_a_timestamp_are_text() -> None:
    cursor = LogCursor()
    assert cursor.feed(b"failed to open the log\nagain\n") == b"failed to open the log\nagain\n"
    assert cursor.since is None


def test_since_keeps_the_time_zone() -> None:
    cursor = LogCursor()
    cursor.feed(b"2026-11-24T12:00:00.123+05:30 text\n")
    assert cursor.since == "2026-11-24T12:00:00+05:30"


# --- a stream that continues into the next file -----------------------------------------------


def numbered_line(number: int) -> bytes:
    """Return a line of a log with twenty lines per second."""
    second, part = divmod(number, 20)
    return b"2026-05-01T12:00:%02d.%03d000000Z line %d\n" % (second, part * 50, number)


def stamp(number: int) -> bytes:
    return numbered_line(number).partition(b"line")[0]


def text_of(numbers: range) -> bytes:
    return b"".join(b"line %d\n" % number for number in numbers)


@given(st.integers(1, 25), st.integers(1, 25), st.integers(20, 400))
def test_a_stream_that_continues_into_the_next_file_is_cut_where_that_file_begins(
    first: int, second: int, size: int
) -> None:
    cursor, taken = LogCursor(), b""
    whole = b"".join(map(numbered_line, range(first + second)))
    for chunk in batches(whole, size):
        taken += cursor.feed(chunk, [stamp(first)])
        if cursor.rotated:
            break
    assert cursor.rotated
    taken += cursor.next_file(complete=True)
    for chunk in batches(b"".join(map(numbered_line, range(first, first + second))), size):
        taken += cursor.feed(chunk)
    assert taken + cursor.finish() == text_of(range(first + second))
    assert (cursor.gaps, cursor.rotated) == (0, False)


def test_a_stream_that_skips_rotated_files_is_cut_where_it_skips() -> None:
    cursor = LogCursor()
    old, newest = (b"".join(map(numbered_line, numbers)) for numbers in (range(10), range(60, 70)))
    taken = cursor.feed(old + newest, [stamp(10)])
    assert cursor.rotated
    taken += cursor.next_file(complete=True)
    taken += cursor.feed(b"".join(map(numbered_line, range(10, 60))))
    taken += cursor.next_file(complete=True)
    taken += cursor.feed(newest)
    assert taken == text_of(range(70))


def test_a_line_that_quotes_a_timestamp_does_not_begin_a_file() -> None:
    cursor = LogCursor()
    quote = numbered_line(0).rstrip() + b" " + stamp(3) + b"\n"
    assert cursor.feed(quote, [stamp(3)]).startswith(b"line 0 2026")
    assert not cursor.rotated
