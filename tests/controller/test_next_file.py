"""A stream that goes over into a file which has a stream of its own."""

from hypothesis import given
from hypothesis import strategies as st

from sparktest.controller.place import Place


def line(number: int) -> bytes:
    """Twenty lines a second."""
    second, part = divmod(number, 20)
    return b"2026-05-01T12:00:%02d.%03d000000Z line %d\n" % (second, part * 50, number)


def stamp(number: int) -> bytes:
    return line(number).partition(b"line")[0]


def text(numbers: range) -> bytes:
    return b"".join(b"line %d\n" % number for number in numbers)


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(st.integers(1, 25), st.integers(1, 25), st.integers(20, 400))
def test_a_stream_that_goes_over_into_the_next_file_is_cut_where_that_begins(
    first: int, second: int, size: int
) -> None:
    place, taken = Place(), b""
    whole = b"".join(map(line, range(first + second)))
    for chunk in chunks(whole, size):
        taken += place.feed(chunk, [stamp(first)])
        if place.passed:
            break
    assert place.passed
    taken += place.next_file(whole=True)
    for chunk in chunks(b"".join(map(line, range(first, first + second))), size):
        taken += place.feed(chunk)
    assert taken + place.finish() == text(range(first + second))
    assert (place.gaps, place.passed) == (0, False)


def test_a_stream_that_skips_files_is_cut_where_it_does() -> None:
    place = Place()
    old, newest = (b"".join(map(line, numbers)) for numbers in (range(10), range(60, 70)))
    taken = place.feed(old + newest, [stamp(10)])
    assert place.passed
    taken += place.next_file(whole=True)
    taken += place.feed(b"".join(map(line, range(10, 60))))
    taken += place.next_file(whole=True)
    taken += place.feed(newest)
    assert taken == text(range(70))


def test_a_line_that_quotes_the_timestamp_is_no_next_file() -> None:
    place = Place()
    quote = line(0).rstrip() + b" " + stamp(3) + b"\n"
    assert place.feed(quote, [stamp(3)]).startswith(b"line 0 2026")
    assert not place.passed
