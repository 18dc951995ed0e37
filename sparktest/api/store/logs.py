"""Logs in the store: the bytes of a container, kept in pieces, appended at the end."""

from sqlalchemy import Connection, func, insert, select, update

from sparktest.api.store.run_tables import LogChunkRow, RunRow
from sparktest.domain import LogState
from sparktest.errors import OffsetError

PIECE = 256 * 1024
# What one read brings, so that a log of any size passes through little memory.
READ = 1024 * 1024
PIECES = 1024


def append(connection: Connection, run_seq: int, container: str, offset: int, data: bytes) -> int:
    """The number of bytes stored of this container after `data`, which begins at `offset`.

    Bytes that are stored already change nothing, so a sender may repeat itself. The caller has
    locked the run.

    Raises:
        OffsetError: the data neither joins what is stored nor repeats it.
    """
    stored = length(connection, run_seq, container)
    if offset == stored:
        _store(connection, run_seq, container, offset, data)
        return stored + len(data)
    if offset + len(data) > stored:
        raise OffsetError(f"{stored} bytes are stored; go on from there", stored=stored)
    if read_all(connection, run_seq, container, offset, offset + len(data)) != data:
        raise OffsetError(
            f"other bytes are stored at {offset}; {stored} bytes are stored", stored=stored
        )
    return stored


def length(connection: Connection, run_seq: int, container: str) -> int:
    """The number of bytes stored of this container, 0 where nothing is."""
    query = (
        select(LogChunkRow.start + LogChunkRow.size)
        .where(LogChunkRow.run_seq == run_seq, LogChunkRow.container == container)
        .order_by(LogChunkRow.start.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or 0


def containers(connection: Connection, run_seq: int) -> list[str]:
    """The names of the containers of which something is stored, in order."""
    query = select(LogChunkRow.container).where(LogChunkRow.run_seq == run_seq).distinct()
    return sorted(connection.execute(query).scalars())


def read(connection: Connection, run_seq: int, container: str, start: int, end: int) -> bytes:
    """Some bytes from `start` on, to `end` at most; empty only where nothing more is stored.

    About READ of them, and no more than PIECES pieces hold.
    """
    log = (LogChunkRow.run_seq == run_seq, LogChunkRow.container == container)
    first = select(func.max(LogChunkRow.start)).where(*log, LogChunkRow.start <= start)
    sizes = connection.execute(
        select(LogChunkRow.start, LogChunkRow.size)
        .where(*log, LogChunkRow.start >= first.scalar_subquery(), LogChunkRow.start < end)
        .order_by(LogChunkRow.start)
        .limit(PIECES)
    ).all()
    if not sizes:
        return b""
    beginning = sizes[0].start
    last = max(piece.start for piece in sizes if piece.start - beginning < READ)
    pieces = connection.execute(
        select(LogChunkRow.data)
        .where(*log, LogChunkRow.start.between(beginning, last))
        .order_by(LogChunkRow.start)
    ).scalars()
    return b"".join(pieces)[start - beginning : end - beginning]


def read_all(connection: Connection, run_seq: int, container: str, start: int, end: int) -> bytes:
    """All stored bytes from `start` to `end`; for a range that fits into memory."""
    parts = []
    while part := read(connection, run_seq, container, start, end):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def start_of_tail(connection: Connection, run_seq: int, container: str, lines: int) -> int:
    """The offset at which the last `lines` lines begin, 0 where there are fewer."""
    end = length(connection, run_seq, container)
    if lines == 0:
        return end
    wanted = lines
    block_end = end
    while block_end > 0:
        block_start = max(0, block_end - READ)
        block = read_all(connection, run_seq, container, block_start, block_end)
        # The newline at the very end finishes the last line, it does not begin another one.
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
    for start in range(0, len(data), PIECE):
        piece = data[start : start + PIECE]
        connection.execute(
            insert(LogChunkRow).values(
                run_seq=run_seq,
                container=container,
                start=offset + start,
                size=len(piece),
                data=piece,
            )
        )
    # Neither `version` nor `updated_at`: whoever follows runs is not told of every line.
    connection.execute(
        update(RunRow).where(RunRow.seq == run_seq).values(log_bytes=RunRow.log_bytes + len(data))
    )
    connection.execute(
        update(RunRow)
        .where(RunRow.seq == run_seq, RunRow.log_state == LogState.NONE)
        .values(log_state=LogState.PARTIAL)
    )
