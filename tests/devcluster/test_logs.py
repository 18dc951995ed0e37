"""Reading logs: tail, since, timestamps, limits, following."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.devcluster import shim
from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.logs import BLOCK_BYTES, LogOptions, read_log
from sparktest.devcluster.requests import Request
from sparktest.devcluster.shim import Log


def write_log(path: Path, *pieces: bytes) -> Path:
    log = Log(str(path))
    for piece in pieces:
        log.write(piece)
    log.close()
    return path


def read(path: Path, **options: object) -> bytes:
    chosen = LogOptions(**options)  # type: ignore[arg-type]
    return b"".join(piece or b"" for piece in read_log(path, chosen, lambda: True))


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_a_log_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    path = write_log(tmp_path_factory.mktemp("log") / "log", *pieces)
    assert read(path) == b"".join(pieces)


@given(
    st.lists(st.sampled_from([b"a\n", b"b", b"\n", b"c\r\n", b"dd\n"]), max_size=8),
    st.integers(0, 6),
)
def test_the_tail_is_the_last_lines(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], lines: int
) -> None:
    path = write_log(tmp_path_factory.mktemp("log") / "log", *pieces)
    whole = b"".join(pieces).split(b"\n")
    last = [line + b"\n" for line in whole[:-1]] + ([whole[-1]] if whole[-1] else [])
    assert read(path, tail=lines) == b"".join(
        last[len(last) - lines :] if lines < len(last) else last
    )


def test_a_tail_longer_than_a_block_is_found(tmp_path: Path) -> None:
    lines = [b"%06d\n" % number for number in range(BLOCK_BYTES // 8)]
    path = write_log(tmp_path / "log", b"".join(lines))
    assert read(path, tail=5000) == b"".join(lines[-5000:])


def test_the_tail_of_an_unfinished_line_is_all_of_it(tmp_path: Path) -> None:
    path = write_log(tmp_path / "log", b"first\n" + b"x" * 40 * BLOCK_BYTES)
    assert read(path, tail=1) == b"x" * 40 * BLOCK_BYTES
    assert read(path, tail=2) == b"first\n" + b"x" * 40 * BLOCK_BYTES


def test_output_beyond_the_limit_is_not_stored_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shim, "MAX_LOG_BYTES", 100_000)
    path = write_log(tmp_path / "log", *[b"y" * 999 + b"\n"] * 200, b"end\n")
    text = read(path)
    assert text.endswith(b"y\n" + shim.TRUNCATED + b"\n")
    assert 80_000 < len(text) < 100_000


def test_a_line_longer_than_several_blocks_is_read_completely(tmp_path: Path) -> None:
    line = b"x" * (3 * BLOCK_BYTES) + b"\nlast\n"
    path = write_log(tmp_path / "log", line)
    assert read(path) == line
    assert read(path, timestamps=True).count(b"Z ") == 2


def test_line_times_are_unique_and_ascending(tmp_path: Path) -> None:
    path = write_log(tmp_path / "log", b"a\nb\nc\n" * 100, b"end")
    times = [line.split(b" ")[0] for line in read(path, timestamps=True).splitlines()]
    assert len(times) == len(set(times)) == 301
    assert times == sorted(times)


def test_since_is_truncated_to_the_second_and_inclusive(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(
        b"2026-01-01T00:00:01.500000000Z F one\n"
        b"2026-01-01T00:00:02.000000001Z F two\n"
        b"2026-01-01T00:00:02.900000000Z P three\n"
    )
    query = {"sinceTime": "2026-01-01T00:00:02.7Z", "timestamps": "true"}
    options = LogOptions.from_request(Request("GET", "/", query), 0)
    found = b"".join(piece or b"" for piece in read_log(path, options, lambda: True))
    assert found.split() == [
        b"2026-01-01T00:00:02.000000001Z",
        b"two",
        b"2026-01-01T00:00:02.900000000Z",
        b"three",
    ]


def test_skipped_lines_may_be_longer_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "log"
    old, new = b"2026-01-01T00:00:00.000000000Z F old\n", b"2026-01-01T00:00:01.000000000Z F new\n"
    path.write_bytes(old * BLOCK_BYTES + new)
    assert read(path, since="2026-01-01T00:00:01") == b"new\n"


def test_the_limit_is_in_bytes(tmp_path: Path) -> None:
    path = write_log(tmp_path / "log", b"aaaa\nbbbb\n")
    assert read(path, limit=7) == b"aaaa\nbb"


@pytest.mark.parametrize(
    "query", [{"tailLines": "-1"}, {"tailLines": "x"}, {"limitBytes": "0"}, {"sinceTime": "soon"}]
)
def test_an_invalid_option_is_rejected(query: dict[str, str]) -> None:
    with pytest.raises(StatusError) as caught:
        LogOptions.from_request(Request("GET", "/", query), 0)
    assert caught.value.code == 400


def test_a_follower_reads_to_the_end_of_a_deleted_file(tmp_path: Path) -> None:
    path, complete = tmp_path / "log", threading.Event()
    log = Log(str(path))
    log.write(b"first\n")
    pieces = read_log(path, LogOptions(follow=True), complete.is_set)
    assert next(pieces) == b"first\n"
    path.unlink()
    log.write(b"second\nrest")
    log.close()
    complete.set()
    assert b"".join(piece or b"" for piece in pieces) == b"second\nrest"


def test_without_follow_the_log_ends_at_its_current_end(tmp_path: Path) -> None:
    assert (
        b"".join(piece or b"" for piece in read_log(tmp_path / "new", LogOptions(), lambda: False))
        == b""
    )
