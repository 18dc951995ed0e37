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
def test_a_fitted_text_takes_exactly_its_cells(string, width):
    assert cell_len(text.fit(string, width)) == width


@pytest.mark.parametrize(
    ("string", "width", "fitted"),
    [("abc", 5, "abc  "), ("abcdef", 5, "abcd…"), ("日本語テスト", 5, "日本…"), ("", 2, "  ")],
)
def test_a_cut_text_ends_with_an_ellipsis(string, width, fitted):
    assert text.fit(string, width) == fitted


def test_the_duration_grows_until_the_run_has_ended():
    running = make_run(1)
    assert text.duration(running, NOW) == "1m04s"
    assert text.duration(running, NOW + timedelta(seconds=5)) == "1m09s"
    ended = make_run(2)
    assert text.duration(ended, NOW) == text.duration(ended, NOW + timedelta(days=1)) == "1m18s"


def test_a_run_that_has_not_started_has_no_duration():
    assert text.duration(make_run(0), NOW) == text.NOTHING


def test_every_status_has_its_own_glyph_of_one_cell_and_word():
    styles = [text.STATUS_STYLES[status] for status in Status]
    assert all(cell_len(style.glyph) == 1 for style in styles)
    assert (
        len({style.glyph for style in styles})
        == len({style.word for style in styles})
        == len(styles)
    )


def test_a_search_covers_every_column_and_the_ids():
    run = make_run(2)
    searchable = text.searchable(run)
    for shown in ("failed", "crd", run.name, "search-load", "team-web", "1m18s", run.id, "error"):
        assert shown in searchable
