"""LogTail: the last line of a log, and the whole of a short one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.controller.logs import tail
from sparktest.controller.logs.tail import LogTail


def tail_of(*parts: bytes) -> LogTail:
    found = LogTail()
    for part in parts:
        found.add(part)
    return found


@pytest.mark.parametrize(
    ("log", "last_line"),
    [
        (b"", ""),
        (b"\n \n", ""),
        (b"one\ntwo", "two"),
        (b"one\n two \r\n\n \n", "two"),
        (b"\xff\n", "�"),
        (b"10%\r20%\n", "10%\r20%"),
    ],
)
def test_the_last_line_is_the_last_that_is_not_blank(log: bytes, last_line: str) -> None:
    assert tail_of(log).last_line == last_line


@given(st.lists(st.binary(max_size=30), max_size=6), st.integers(1, 40))
def test_a_log_that_fits_is_kept_whole_however_it_arrives(parts: list[bytes], limit: int) -> None:
    whole = b"".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "MAX_BYTES", limit)
        found = tail_of(*parts)
        assert found.size == len(whole)
        kept = whole.decode(errors="replace") if len(whole) <= limit else None
        assert found.whole_text == kept
        assert len(found._end) == min(limit, len(whole))
        assert whole.endswith(found._end)
