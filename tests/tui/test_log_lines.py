import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sparktest.sanitize import clean_text
from sparktest.tui.log_lines import MAX_LINE_LENGTH, LogLines, search_pattern

LINES = st.lists(st.text(max_size=30).map(clean_text).map(lambda t: t.replace("\n", " ")))


def log_of(*lines: str, pending: str = "") -> LogLines:
    log = LogLines()
    log.add("".join(f"{line}\n" for line in lines), pending)
    return log


@given(LINES, st.text(max_size=9).map(clean_text).map(lambda t: t.replace("\n", "")))
def test_the_saved_text_equals_the_added_text(lines, pending):
    assert log_of(*lines, pending=pending).text() == "".join(f"{x}\n" for x in lines) + pending


@given(LINES, st.integers(2, 12))
def test_wrapped_rows_are_pieces_of_lines_that_fit(lines, width):
    log = log_of(*lines)
    log.wrap(width)
    rows = [log.row(number) for number in range(log.rows)]
    assert all(cell_len(text) <= width for _, _, text in rows)
    for number in range(len(lines)):
        pieces = [(start, text) for line, start, text in rows if line == number]
        assert "".join(text for _, text in pieces) == log.line(number)
        assert [start for start, _ in pieces] == sorted({start for start, _ in pieces})


@given(LINES, st.integers(2, 12))
def test_lines_added_one_by_one_wrap_like_lines_added_at_once(lines, width):
    one_by_one, at_once = LogLines(), log_of(*lines)
    one_by_one.wrap(width)
    for line in lines:
        one_by_one.add(f"{line}\n")
    at_once.wrap(width)
    assert [one_by_one.row(n) for n in range(one_by_one.rows)] == [
        at_once.row(n) for n in range(at_once.rows)
    ]


@given(st.lists(st.text("ab", min_size=1, max_size=30), min_size=1), st.data())
def test_a_character_is_found_in_the_row_that_shows_it(lines, data):
    log = log_of(*lines)
    log.wrap(7)
    line = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[line]) - 1))
    number, start, text = log.row(log.row_of(line, at))
    assert number == line
    assert start <= at < start + len(text)


def test_the_pending_line_is_replaced_until_it_ends():
    log = log_of("one", pending="10 %")
    log.add("", "20 %")
    assert (len(log), log.line(1)) == (2, "20 %")
    log.add("100 %\n")
    assert (len(log), log.line(1), log.pending) == (2, "100 %", "")


def test_matches_ignore_case_and_special_characters():
    log = log_of("Error: a.b", "no error here: error", "axb", pending="ERROR")
    assert [match.line for match in log.find(search_pattern("error"))] == [0, 1, 1, 3]
    assert [match.line for match in log.find(search_pattern("a.b"))] == [0]


def test_tabs_take_their_cells():
    log = log_of("a\tb")
    assert log.line(0) == "a       b"
    assert log.widest == 9


@pytest.mark.parametrize("letter", ["x", "日"])
def test_a_very_long_line_is_cut_on_the_screen_and_complete_in_the_file(letter):
    log = log_of(letter * 50_000)
    assert len(log.line(0)) <= MAX_LINE_LENGTH + 2
    assert log.text() == letter * 50_000 + "\n"
