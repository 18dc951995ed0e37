"""Logs in the store: an append-only sequence of bytes for each container, kept in chunks."""

from sqlalchemy import Connection, func, insert, select, update

from sparktest.api.store.run_tables import LogChunkRow, RunRow
from sparktest.domain import LogState
from sparktest.errors import OffsetError

CHUNK_BYTES = 256 * 1024
# Size of one read, so that a log of any size needs little memory.
READ_BYTES = 1024 * 1024
MAX_CHUNKS = 1024


def append(connection: Connection, run_seq: int, container: str, offset: int, data: bytes) -> int:
    """Append `data`, which begins at `offset`; return the number of bytes then stored.

    Bytes that are stored already change nothing, so a sender may repeat a request. The caller has
    locked the run.

    Raises:
        OffsetError: the data begins beyond the end of the log, or differs from it.
    """
    stored = length(connection, run_seq, container)
    if offset == stored:
        _store(connection, run_seq, container, offset, data)
        return stored + len(data)
    if offset + len(data) > stored:
        raise OffsetError(f"{stored} bytes are stored; continue from there", stored=stored)
    if read_all(connection, run_seq, container, offset, offset + len(data)) != data:
        raise OffsetError(
            f"other bytes are stored at {offset}; {stored} bytes are stored", stored=stored
        )
    return stored


def length(connection: Connection, run_seq: int, container: str) -> int:
    """Return the number of bytes stored for this container."""
    query = (
        select(LogChunkRow.start + LogChunkRow.size)
        .where(LogChunkRow.run_seq == run_seq, LogChunkRow.container == container)
        .order_by(LogChunkRow.start.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or 0


def containers(connection: Connection, run_seq: int) -> list[str]:
    """Return the sorted names of the containers that have a log."""
    query = select(LogChunkRow.container).where(LogChunkRow.run_seq == run_seq).distinct()
    return sorted(connection.execute(query).scalars())


def read(connection: Connection, run_seq: int, container: str, start: int, end: int) -> bytes:
    """Return bytes from `start`, up to `end`; empty only where nothing more is stored.

    At least one chunk, about READ_BYTES, and no more than MAX_CHUNKS chunks.
    """
    log = (LogChunkRow.run_seq == run_seq, LogChunkRow.container == container)
    first = select(func.max(LogChunkRow.start)).where(*log, LogChunkRow.start <= start)
    sizes = connection.execute(
        select(LogChunkRow.start, LogChunkRow.size)
        .where(*log, LogChunkRow.start >= first.scalar_subquery(), LogChunkRow.start < end)
        .order_by(LogChunkRow.start)
        .limit(MAX_CHUNKS)
    ).all()
    if not sizes:
        return b""
    beginning = sizes[0].start
    last = max(chunk.start for chunk in sizes if chunk.start - beginning < READ_BYTES)
    chunks = connection.execute(
        select(LogChunkRow.data)
        .where(*log, LogChunkRow.start.between(beginning, last))
        .order_by(LogChunkRow.start)
    ).scalars()
    return b"".join(chunks)[start - beginning : end - beginning]


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


def _store(connection: Connection, run_seq: int, container: str, offset: int, data: bytes) -> None:
    if not data:
        return
    for start in range(0, len(data), CHUNK_BYTES):
        chunk = data[start : start + CHUNK_BYTES]
        connection.execute(
            insert(LogChunkRow).values(
                run_seq=run_seq,
                container=container,
                start=offset + start,
                size=len(chunk),
                data=chunk,
            )
        )
    # Neither `version` nor `updated_at` changes: a client that watches runs must not see every log
    # line.
    connection.execute(
        update(RunRow).where(RunRow.seq == run_seq).values(log_bytes=RunRow.log_bytes + len(data))
    )
    connection.execute(
        update(RunRow)
        .where(RunRow.seq == run_seq, RunRow.log_state == LogState.NONE)
        .values(log_state=LogState.PARTIAL)
    )
