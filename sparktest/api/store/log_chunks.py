"""The chunks of a log: how they hold their bytes, and which ones a new piece is merged with. Pure.

A log grows in pieces of any size. A row for each small piece would compress badly and need more
room for itself than for the piece; one growing chunk would be written again for every piece. So a
piece is merged with the last chunk when that is not larger, and the result with the one before, as
long as that is not larger: a byte is written again only when its chunk at least doubles.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

import zstandard

MAX_CHUNK_BYTES = 256 * 1024
# More chunks than this are never merged: each one is at least twice as large as the next.
MAX_MERGED = 18


class Encoding(StrEnum):
    """What the data of a chunk is."""

    # The bytes themselves.
    IDENTITY = "identity"
    ZSTD = "zstd"
    # A line that says that the bytes of this chunk, the last one of its log, were not stored.
    DISCARDED = "discarded"


class Chunk(NamedTuple):
    """A chunk without its data."""

    start: int
    size: int
    encoding: str

    @property
    def end(self) -> int:
        """The offset of the first byte after it."""
        return self.start + self.size


def encode(data: bytes) -> tuple[Encoding, bytes]:
    """Return the data compressed, if that makes it smaller."""
    compressed = zstandard.ZstdCompressor().compress(data)
    if len(compressed) < len(data):
        return Encoding.ZSTD, compressed
    return Encoding.IDENTITY, data


def decode(encoding: str, data: bytes) -> bytes:
    """Return what a reader of the log gets for a chunk."""
    return zstandard.ZstdDecompressor().decompress(data) if encoding == Encoding.ZSTD else data


def split(data: bytes) -> Iterator[bytes]:
    """Yield the data in pieces of the size of a chunk."""
    for start in range(0, len(data), MAX_CHUNK_BYTES):
        yield data[start : start + MAX_CHUNK_BYTES]


def to_merge(last: Sequence[Chunk], size: int) -> Sequence[Chunk]:
    """Return the chunks to merge with a new piece of `size` bytes.

    Args:
        last: the last chunks, newest first; so is the result.
        size: of the new piece.
    """
    for count, chunk in enumerate(last):
        if chunk.size > size or chunk.size + size > MAX_CHUNK_BYTES:
            return last[:count]
        size += chunk.size
    return last


def cut(data: bytes, room: int) -> bytes:
    """Return as many whole lines as there is room for; bytes, where there is no whole line."""
    if len(data) <= room:
        return data
    kept = data[:room]
    return kept[: kept.rfind(b"\n") + 1] or kept


def marker(kept: bytes, max_bytes: int) -> bytes:
    """Return the line that ends a log that was cut, after its last bytes `kept`."""
    line = (
        f"[sparktest: the log has more than {max_bytes} bytes (SPARKTEST_LOG_MAX_BYTES); "
        "the rest was not stored]\n"
    )
    return (b"" if kept.endswith(b"\n") or not kept else b"\n") + line.encode()
