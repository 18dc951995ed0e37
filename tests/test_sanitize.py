import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.sanitize import StreamCleaner, clean, clean_text

CONTROLS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Bytes that make sequences likely: introducers, terminators, parameters, parts of characters.
PIECES = st.sampled_from(
    [
        b"\x1b",
        b"\x1b[",
        b"\x1b]52;c;",
        b"\x1bP",
        b"\x9b31m",
        b"\xc2\x9b",
        b"\xc2\x9d0;t",
        b"\x07",
        b"\x1b\\",
        b"\r",
        b"\n",
        b"\t",
        b"\xe2\x80\xae",
        b"\xf0\x9f\x92\xa9",
        b"\xc3",
        b"31m",
        b"text",
        b"\x00",
        b"\x7f",
        b"\xff",
    ]
)
STREAMS = st.lists(PIECES | st.binary(max_size=4), max_size=30).map(b"".join)


def controls_in(text: str) -> list[str]:
    return [c for c in text if unicodedata.category(c) in CONTROLS and c not in "\n\t"]


def streamed(chunks: list[bytes]) -> str:
    cleaner = StreamCleaner()
    return "".join(cleaner.feed(chunk) for chunk in chunks) + cleaner.end()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_a_clean_text_has_no_controls(text):
    assert controls_in(clean_text(text)) == []


@given(STREAMS)
def test_a_clean_log_has_no_controls(data):
    assert controls_in(streamed([data])) == []


@given(STREAMS, st.lists(st.integers(0, 500), max_size=8))
def test_the_text_of_a_log_does_not_depend_on_its_chunks(data, places):
    assert streamed(cut(data, places)) == streamed([data])


@given(STREAMS)
def test_cleaning_again_changes_nothing(data):
    once = streamed([data])
    assert clean_text(once) == once


@given(st.text(st.characters(exclude_categories=["C", "Z", "M"], max_codepoint=0x2FFF)))
def test_ordinary_text_is_not_changed(text):
    plain = text.replace("\u115f", "").replace("\u1160", "")
    assert clean_text(plain) == plain


def test_only_newline_and_tab_are_kept_of_all_control_categories():
    every = (chr(code) for code in range(0x110000))
    kept = {c for c in every if unicodedata.category(c) in CONTROLS and clean_text(c)}
    assert kept == {"\n", "\t"}


@pytest.mark.parametrize(
    ("hostile", "text"),
    [
        ("\x1b]52;c;aGk=\x07name", "name"),
        ("\x1b]52;c;aGk=\x1b\\name", "name"),
        ("\x9d0;title\x9cname", "name"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b2Jname", "name"),
        ("\x1bcname", "name"),
        ("\x1b(Bname", "name"),
        ("\x1bPq#0;2;0;0;0\x1b\\name", "name"),
        ("na\u202eme", "name"),
        ("na\u200bme\ufeff", "name"),
        ("na\x00me\x7f", "name"),
        ("one\ttwo\nthree", "one\ttwo\nthree"),
        ("naïve 日本 ✓", "naïve 日本 ✓"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b\x1b[31m[31mx", "[31mx"),
    ],
)
def test_a_sequence_is_removed_completely_and_nothing_else(hostile, text):
    assert clean_text(hostile) == text


def test_an_unterminated_sequence_hides_at_most_its_line():
    assert clean_text("\x1b]0;evil\nFAILED: 3 tests\n") == "\nFAILED: 3 tests\n"


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("10 %\r50 %\r100 %\n", "100 %\n"),
        ("10 %\r100 %\r\n", "100 %\n"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("\x1b[2K\r10 %\x1b[K\r\x1b[K", "10 %"),
        ("\r\r\n", "\n"),
    ],
)
def test_a_progress_bar_shows_its_last_state(line, seen):
    assert clean_text(line) == seen


def test_json_is_cleaned_at_every_depth_including_keys():
    value = {"na\x1b[1mme": ["a\x07", {"b": "\u202ec"}], "n": 1, "f": None, "t": True, "d": 0.5}
    assert clean(value) == {"name": ["a", {"b": "c"}], "n": 1, "f": None, "t": True, "d": 0.5}


def test_a_tuple_is_cleaned_to_a_list():
    assert clean(("a\x07", "b")) == ["a", "b"]


def test_deeply_nested_json_is_cut():
    value: object = "x"
    for _ in range(5000):
        value = [{"k": value}]
    assert clean(value)[0]["k"][0]["k"]


def test_an_unfinished_line_can_be_shown_and_is_returned_again():
    cleaner = StreamCleaner()
    assert cleaner.feed(b"done\n10 %\r20 \xe2\x82") == "done\n"
    assert cleaner.pending == "20 "
    assert cleaner.feed(b"\xac\nnext") == "20 €\n"
    assert cleaner.pending == "next"
    assert cleaner.end() == "next"
    assert cleaner.end() == cleaner.pending == ""


def test_an_unfinished_progress_bar_shows_its_last_state():
    cleaner = StreamCleaner()
    for step in range(20_000):
        cleaner.feed(b"step %d\r" % step)
    assert cleaner.pending == "step 19999"


def test_thirty_megabytes_of_log_are_cleaned_within_ten_seconds():
    line = b"\x1b[32mINFO\x1b[0m step finished in 12 ms, all of the assertions hold\r\n"
    data = line * (30_000_000 // len(line))
    started = time.process_time()
    text = streamed([data[at : at + 65536] for at in range(0, len(data), 65536)])
    assert text.count("\n") == len(data) // len(line)
    assert time.process_time() - started < 10
