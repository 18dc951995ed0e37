import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.cli.table import cut, fit, width


@pytest.mark.parametrize(
    ("widths", "least", "room", "fitted"),
    [
        ([10, 5], [0, 0], 8, [10, 5]),
        ([10, 5], [4, 4], None, [10, 5]),
        ([10, 5], [4, 4], 18, [10, 5]),
        ([10, 5], [4, 4], 17, [9, 5]),
        ([10, 5], [4, 4], 12, [4, 5]),
        ([10, 5], [4, 4], 3, [4, 4]),
        ([10, 12], [4, 0], 20, [5, 12]),
    ],
)
def test_the_widest_gives_first_and_nobody_below_the_least(
    widths: list[int], least: list[int], room: int | None, fitted: list[int]
) -> None:
    assert fit(widths, least, room) == fitted


@given(st.text(), st.integers(1, 40))
def test_a_text_that_is_cut_takes_no_more_room_than_there_is(text: str, room: int) -> None:
    short = cut(text, room)

    assert width(short) <= room
    assert short == text or (short[-1] == "…" and text.startswith(short[:-1]))


def test_wide_letters_are_not_cut_in_half() -> None:
    assert cut("스파크", 6) == "스파크"
    assert cut("스파크", 5) == "스파…"
    assert cut("스파크", 4) == "스…"
    assert width(cut("e\u0301" * 9, 5)) == 5


def test_an_id_that_is_cut_is_still_a_reference() -> None:
    assert cut("12345678-1234", 8, "") == "12345678"
    assert unicodedata.east_asian_width("…") == "A"
