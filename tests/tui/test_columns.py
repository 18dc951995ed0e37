import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.tui.columns import fit_columns, gap


@given(st.integers(25, 400))
def test_columns_and_gaps_fit_the_width(width):
    columns = fit_columns(width)
    assert sum(column.width for column in columns) + gap(width) * (len(columns) - 1) <= width


@given(st.integers(0, 400))
def test_status_origin_and_name_are_always_there(width):
    assert [column.field for column in fit_columns(width)][:3] == ["status", "origin", "name"]
    assert all(column.width >= 1 for column in fit_columns(width))


@pytest.mark.parametrize("terminal", [80, 100, 140, 250])
def test_all_columns_fit_in_80_cells(terminal):
    # Without the margins and the scrollbar.
    assert len(fit_columns(terminal - 3)) == 7


@given(st.integers(25, 399))
def test_a_wider_terminal_never_shows_less(width):
    assert len(fit_columns(width)) <= len(fit_columns(width + 1)) or width + 1 == 100
