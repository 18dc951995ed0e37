"""A log read through streams that break, resume and miss files comes out as it was written."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.controller import place
from sparktest.controller.place import GAP, Place

# Just above what a timestamp takes, so that most lines are long ones.
SHORT = 40
PART = st.sampled_from([b"", b"a", b"\r", b"\xff\x00", b"x" * 45, b"2026-11-24T12:00:00.5Z "])
TEXT = st.lists(PART, max_size=3).map(b"".join)


@pytest.fixture(autouse=True, scope="module")
def lines_are_long_early() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "LONG_LINE", SHORT)
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
    """What the kubelet has: bursts of lines, the last of which may have no end."""

    bursts: list[Burst]
    ended: bool = True

    @property
    def text(self) -> bytes:
        return self._cut(b"".join(burst.text for burst in self.bursts))

    def since(self, second: str | None) -> bytes:
        """What a stream gives that is opened with `sinceTime`."""
        wanted = (second or "").removesuffix("Z").encode()
        found = [burst.stamped for burst in self.bursts if burst.stamp[:19] >= wanted]
        return self._cut(b"".join(found))

    def _cut(self, text: bytes) -> bytes:
        return text if self.ended else text[:-1]


@st.composite
def bursts(draw: Any) -> list[Burst]:
    """In the order of their seconds; in a second in any order, as stdout and stderr may come."""
    moments = st.tuples(st.integers(0, 2), st.integers(0, 3))
    drawn = draw(st.lists(moments, unique=True, min_size=1, max_size=6))
    drawn.sort(key=lambda moment: moment[0])
    return [
        Burst(
            b"2026-11-24T12:00:%02d.%09dZ" % moment,
            draw(st.lists(TEXT, min_size=1, max_size=4)),
        )
        for moment in drawn
    ]


def pieces(draw: Any, data: bytes) -> Iterator[bytes]:
    """The bytes in chunks of any size: byte by byte, or cut at a few places."""
    size = draw(st.sampled_from([1, 3, 17, 64, 1000]))
    first = draw(st.integers(0, size))
    yield from filter(None, (data[:first], *batches(data[first:], size)))


def batches(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read_some(draw: Any, reader: Place, data: bytes) -> bytes:
    """What a reader gives of a stream that breaks after any byte."""
    broken = data[: draw(st.integers(0, len(data)))]
    return b"".join(reader.feed(chunk) for chunk in pieces(draw, broken))


def read_to_the_end(draw: Any, reader: Place, data: bytes) -> bytes:
    return b"".join(reader.feed(chunk) for chunk in pieces(draw, data)) + reader.finish()


@given(st.data(), bursts(), st.booleans(), st.integers(0, 4))
def test_whatever_the_chunks_and_breaks_the_text_is_the_log(
    data: st.DataObject, written: list[Burst], ended: bool, breaks: int
) -> None:
    file, reader, text = File(written, ended), Place(), b""
    for _ in range(breaks):
        text += read_some(data.draw, reader, file.since(reader.since))
        reader.resume()
    text += read_to_the_end(data.draw, reader, file.since(reader.since))
    assert text == file.text
    assert reader.gaps == 0


@given(st.data(), bursts(), st.integers(0, 6), st.integers(0, 2))
def test_where_the_place_was_rotated_away_one_line_says_so_and_nothing_comes_twice(
    data: st.DataObject, written: list[Burst], rotated: int, breaks: int
) -> None:
    file, reader = File(written), Place()
    before = read_some(data.draw, reader, file.since(None))
    at = [burst.stamp + b" " for burst in written].index(reader.stamp) if reader.stamp else -1
    left, after = File(written[rotated:]), b""
    for _ in range(breaks):
        reader.resume()
        after += read_some(data.draw, reader, left.since(reader.since))
    reader.resume()
    after += read_to_the_end(data.draw, reader, left.since(reader.since))
    if at == -1:  # nothing had been seen, so nobody can tell that it is missing
        assert (after, reader.gaps) == (left.text, 0)
    elif at >= rotated:
        assert (before + after, reader.gaps) == (file.text, 0)
    else:
        line = b"\n" if before and not before.endswith(b"\n") else b""
        assert (after, reader.gaps) == (line + GAP + left.text, 1)


@given(st.data(), bursts(), st.integers(1, 5), st.booleans())
def test_the_next_file_goes_on_where_the_last_one_ended(
    data: st.DataObject, written: list[Burst], cut: int, whole: bool
) -> None:
    old, new, reader = File(written[:cut]), File(written[cut:]), Place()
    stream = old.since(None)
    if whole:
        text = b"".join(reader.feed(chunk) for chunk in pieces(data.draw, stream))
    else:
        text = read_some(data.draw, reader, stream)
    text += reader.next_file(whole=whole)
    text += read_some(data.draw, reader, new.since(None))
    reader.resume()
    text += read_to_the_end(data.draw, reader, File(written).since(reader.since))
    assert reader.gaps == (not whole)
    if whole:
        assert text == File(written).text
    else:
        first, gap, rest = text.partition(GAP)
        assert gap
        assert old.text.startswith(first.removesuffix(b"\n"))
        assert rest.endswith(new.text)


def test_a_gap_is_told_once_where_the_next_file_comes_while_the_place_is_looked_for() -> None:
    reader = Place()
    reader.feed(b"2026-11-24T12:00:00.1Z one\n")
    reader.resume()
    reader.feed(b"2026-11-24T12:00:00.3Z three\n")
    assert reader.next_file(whole=False) == GAP + b"three\n"
    assert reader.feed(b"2026-11-24T12:00:09.1Z nine\n") == b"nine\n"
    assert reader.gaps == 1


def test_what_carries_no_timestamp_is_text() -> None:
    reader = Place()
    assert reader.feed(b"failed to open the log\nagain\n") == b"failed to open the log\nagain\n"
    assert reader.since is None


def test_the_second_to_resume_from_keeps_the_zone() -> None:
    reader = Place()
    reader.feed(b"2026-11-24T12:00:00.123+05:30 text\n")
    assert reader.since == "2026-11-24T12:00:00+05:30"
