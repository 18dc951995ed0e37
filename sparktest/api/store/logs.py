"""Logs in the store: an append-only sequence of bytes for each container, kept in chunks.

A log that is too large is cut. Its last chunk then stands for all bytes that were not stored, so
that offsets still count the bytes that were sent, and its sender need not know. Readers get a line
of text in their place.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, select, update

from sparktest.api.store.log_chunks import (
    MAX_MERGED,
    Chunk,
    Encoding,
    cut,
    decode,
    encode,
    marker,
    split,
    to_merge,
)
from sparktest.api.store.run_tables import LogChunkRow, RunRow
from sparktest.domain import LOG_TOO_LARGE, LogState
from sparktest.errors import OffsetError

# Size of one read, so that a log of any size needs little memory.
READ_BYTES = 1024 * 1024
MAX_CHUNKS = 1024
# Bytes that one row counts: its column is a 32-bit integer.
MAX_DISCARDED = 2**30

# Number of the run, and container.
Log = tuple[int, str]


def append(
    connection: Connection,
    run_seq: int,
    container: str,
    offset: int,
    data: bytes,
    *,
    max_bytes: int,
) -> int:
    """Append `data`, which begins at `offset`; return the number of bytes that the log then has.

    Bytes that are stored already change nothing, so a sender may repeat a request. Bytes beyond
    `max_bytes` are counted and not stored. The caller has locked the run.

    Raises:
        OffsetError: the data begins beyond the end of the log, or differs from it.
    """
    log = (run_seq, container)
    last = _last_chunks(connection, log)
    end = last[0].end if last else 0
    if offset == end:
        if data:
            too_large = _store(connection, log, last, data, max_bytes)
            _count(connection, run_seq, len(data), too_large=too_large)
        return end + len(data)
    if offset + len(data) > end:
        raise OffsetError(f"{end} bytes are stored; continue from there", stored=end)
    known = data
    if last[0].encoding == Encoding.DISCARDED:
        known = data[: max(0, _start_of_discarded(connection, log) - offset)]
    if read_all(connection, *log, offset, offset + len(known)) != known:
        raise OffsetError(f"other bytes are stored at {offset}; {end} bytes are stored", stored=end)
    return end


def length(connection: Connection, run_seq: int, container: str) -> int:
    """Return the number of bytes that a reader of the log gets."""
    log = (run_seq, container)
    last = _last_chunks(connection, log, limit=1)
    if not last:
        return 0
    if last[0].encoding != Encoding.DISCARDED:
        return last[0].end
    start = _start_of_discarded(connection, log)
    return start + len(read(connection, *log, start, start + READ_BYTES))


def containers(connection: Connection, run_seq: int) -> list[str]:
    """Return the sorted names of the containers that have a log."""
    query = select(LogChunkRow.container).where(LogChunkRow.run_seq == run_seq).distinct()
    return sorted(connection.execute(query).scalars())


def read(connection: Connection, run_seq: int, container: str, start: int, end: int) -> bytes:
    """Return bytes from `start`, up to `end`; empty only where nothing more is stored.

    At least one chunk, about READ_BYTES, and no more than MAX_CHUNKS chunks.
    """
    log = _of((run_seq, container))
    first = select(func.max(LogChunkRow.start)).where(*log, LogChunkRow.start <= start)
    from_first = (*log, LogChunkRow.start >= first.scalar_subquery())
    starts = connection.execute(
        select(LogChunkRow.start)
        .where(*from_first, LogChunkRow.start < end)
        .order_by(LogChunkRow.start)
        .limit(MAX_CHUNKS)
    ).scalars()
    found = starts.all()
    if not found:
        return b""
    last = max(chunk for chunk in found if chunk - found[0] < READ_BYTES)
    # An append may have merged chunks since then, so the first one is looked up again.
    chunks = connection.execute(
        select(LogChunkRow.start, LogChunkRow.encoding, LogChunkRow.data)
        .where(*from_first, LogChunkRow.start <= last)
        .order_by(LogChunkRow.start)
    ).all()
    if not chunks:
        return b""
    beginning = chunks[0].start
    data = b"".join(decode(chunk.encoding, chunk.data) for chunk in chunks)
    return data[start - beginning : end - beginning]


def read_all(connection: Connection, run_seq: int, container: str, start: int, end: int) -> bytes:
    """Return all stored bytes from `start` to `end`; for a range that fits into memory."""
    parts = []
    while part := read(connection, run_seq, container, start, end):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def start_of_tail(connection: Connection, run_seq: int, container: str, lines: int) -> int:
    """Return the offset at which the last `lines` lines begin, 0 where there are fewer."""
    end = length(connection, run_seq, container)
    if lines == 0:
        return end
    wanted = lines
    block_end = end
    while block_end > 0:
        block_start = max(0, block_end - READ_BYTES)
        block = read_all(connection, run_seq, container, block_start, block_end)
        # A newline at the very end terminates the last line and does not begin another one.
        at = len(block) - 1 if block_end == end and block.endswith(b"\n") else len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            wanted -= 1
            if wanted == 0:
                return block_start + at + 1
        block_end = block_start
    return 0


def _of(log: Log) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    run_seq, container = log
    return LogChunkRow.run_seq == run_seq, LogChunkRow.container == container


def _last_chunks(connection: Connection, log: Log, limit: int = MAX_MERGED) -> list[Chunk]:
    """Return the last chunks, newest first; as many as can be merged with a new one."""
    query = (
        select(LogChunkRow.start, LogChunkRow.size, LogChunkRow.encoding)
        .where(*_of(log))
        .order_by(LogChunkRow.start.desc())
        .limit(limit)
    )
    return [Chunk(*row) for row in connection.execute(query)]


def _start_of_discarded(connection: Connection, log: Log) -> int:
    """Return the offset from which on a log that was cut is not stored."""
    query = select(func.min(LogChunkRow.start))
    discarded = LogChunkRow.encoding == Encoding.DISCARDED
    return connection.execute(query.where(*_of(log), discarded)).scalar_one()


def _store(
    connection: Connection, log: Log, last: Sequence[Chunk], data: bytes, max_bytes: int
) -> bool:
    """Add bytes at the end of a log whose last chunks are `last`; return True if it is cut."""
    if last and last[0].encoding == Encoding.DISCARDED:
        _discard(connection, log, last[0], len(data))
        return True
    end = last[0].end if last else 0
    kept = cut(data, max(0, max_bytes - end))
    if kept:
        _add_chunks(connection, log, to_merge(last, len(kept)), end, kept)
    if len(kept) == len(data):
        return False
    before = kept or read_all(connection, *log, end - 1, end)
    rest = Chunk(end + len(kept), len(data) - len(kept), Encoding.DISCARDED)
    _insert(connection, log, rest, marker(before, max_bytes))
    return True


def _add_chunks(
    connection: Connection, log: Log, merged: Sequence[Chunk], end: int, data: bytes
) -> None:
    """Store data at the offset `end`, together with that of the `merged` chunks before it."""
    start = end
    if merged:
        start = merged[-1].start
        data = read_all(connection, *log, start, end) + data
        connection.execute(delete(LogChunkRow).where(*_of(log), LogChunkRow.start >= start))
    for piece in split(data):
        encoding, encoded = encode(piece)
        _insert(connection, log, Chunk(start, len(piece), encoding), encoded)
        start += len(piece)


def _discard(connection: Connection, log: Log, last: Chunk, size: int) -> None:
    """Count bytes that are not stored."""
    if last.size + size > MAX_DISCARDED:
        _insert(connection, log, Chunk(last.end, size, Encoding.DISCARDED), b"")
        return
    connection.execute(
        update(LogChunkRow)
        .where(*_of(log), LogChunkRow.start == last.start)
        .values(size=last.size + size)
    )


def _insert(connection: Connection, log: Log, chunk: Chunk, data: bytes) -> None:
    run_seq, container = log
    connection.execute(
        insert(LogChunkRow).values(
            run_seq=run_seq, container=container, **chunk._asdict(), data=data
        )
    )


def _count(connection: Connection, run_seq: int, size: int, *, too_large: bool) -> None:
    """Add to the size of the run's log, and set its state.

    Neither `version` nor `updated_at` changes: a client that watches runs must not see every log
    line.
    """
    columns: dict[str, Any] = {
        "log_bytes": RunRow.log_bytes + size,
        "log_state": case(
            (RunRow.log_state == LogState.NONE, LogState.PARTIAL), else_=RunRow.log_state
        ),
    }
    if too_large:
        columns |= {"log_state": LogState.PARTIAL, "log_reason": LOG_TOO_LARGE}
    connection.execute(update(RunRow).where(RunRow.seq == run_seq).values(columns))
