"""Encoding, merging and cutting of the chunks of a log."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.api.store import log_chunks
from sparktest.api.store.log_chunks import Chunk, Encoding, cut, decode, encode, marker, to_merge

LINE = b"2026-05-01T12:00:00Z INFO test_checkout PASSED in 12 ms\n"


@given(data=st.binary(max_size=300))
def test_encoded_bytes_are_decoded_unchanged_and_never_grow(data):
    encoding, encoded = encode(data)
    assert decode(encoding, encoded) == data
    assert len(encoded) <= len(data)


def test_text_is_compressed_and_noise_is_not():
    assert encode(LINE * 100)[0] is Encoding.ZSTD
    assert encode(bytes(range(256)))[0] is Encoding.IDENTITY


@given(sizes=st.lists(st.integers(1, 40), max_size=200))
def test_each_byte_is_written_again_only_when_its_chunk_doubles(sizes):
    limit = 256
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_chunks, "MAX_CHUNK_BYTES", limit)
        chunks: list[Chunk] = []
        written = 0
        for size in sizes:
            merged = to_merge(chunks[::-1], size)
            start = merged[-1].start if merged else sum(chunk.size for chunk in chunks)
            del chunks[len(chunks) - len(merged) :]
            chunks.append(Chunk(start, size + sum(chunk.size for chunk in merged), "zstd"))
            written += chunks[-1].size
    total = sum(sizes)
    assert sum(chunk.size for chunk in chunks) == total
    assert [chunk.start for chunk in chunks[1:]] == [chunk.end for chunk in chunks[:-1]]
    assert written <= total * (math.log2(limit) + 1)
    assert len(chunks) <= 2 * total / limit + math.log2(limit) + 1


@given(data=st.binary(max_size=60), room=st.integers(0, 70))
def test_a_cut_keeps_a_beginning_that_has_room(data, room):
    kept = cut(data, room)
    assert data.startswith(kept)
    assert len(kept) <= room or len(data) <= room


def test_a_cut_keeps_whole_lines_where_there_are_some():
    assert cut(b"one\ntwo\nthree\n", 9) == b"one\ntwo\n"
    assert cut(b"one\ntwo\n", 8) == b"one\ntwo\n"
    assert cut(b"a long line", 6) == b"a long"


@pytest.mark.parametrize("kept", [b"", b"one\n", b"one"])
def test_the_marker_is_a_line_of_its_own(kept):
    lines = (kept + marker(kept, 2048)).decode().splitlines()
    assert lines[-1].startswith("[sparktest: the log has more than 2048 bytes")
    assert lines[:-1] == kept.decode().splitlines()
