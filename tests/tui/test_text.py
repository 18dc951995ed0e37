from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sparktest.domain import Status
from sparktest.sanitize import clean_text
from sparktest.tui import text
from tests.tui.fakes import NOW, make_run


@given(st.text(max_size=60).map(clean_text).map(text.one_line), st.integers(0, 40))
def test_a_fitted_text_takes_exactly_its_cells(words, width):
    assert cell_len(text.fit(words, width)) == width


@pytest.mark.parametrize(
    ("words", "width", "fitted"),
    [("abc", 5, "abc  "), ("abcdef", 5, "abcd…"), ("日本語テスト", 5, "日本…"), ("", 2, "  ")],
)
def test_what_is_cut_says_so(words, width, fitted):
    assert text.fit(words, width) == fitted


def test_a_running_run_counts_on_and_an_ended_one_stands_still():
    running = make_run(1)
    assert text.duration(running, NOW) == "1m04s"
    assert text.duration(running, NOW + timedelta(seconds=5)) == "1m09s"
    ended = make_run(2)
    assert text.duration(ended, NOW) == text.duration(ended, NOW + timedelta(days=1)) == "1m18s"


def test_a_run_that_has_not_started_has_no_duration():
    assert text.duration(make_run(0), NOW) == text.NOTHING


def test_every_status_has_a_glyph_of_one_cell_and_a_word_of_its_own():
    looks = [text.STATUS_STYLES[status] for status in Status]
    assert all(cell_len(look.glyph) == 1 for look in looks)
    assert len({look.glyph for look in looks}) == len({look.word for look in looks}) == len(looks)


def test_a_search_finds_what_any_column_shows_and_the_ids():
    run = make_run(2)
    searchable = text.searchable(run)
    for shown in ("failed", "crd", run.name, "search-load", "team-web", "1m18s", run.id, "error"):
        assert shown in searchable
