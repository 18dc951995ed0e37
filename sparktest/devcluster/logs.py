"""Read the logs of containers: tail, since, timestamps, limit, follow."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from sparktest.devcluster.api_errors import bad_request
from sparktest.devcluster.requests import Request
from sparktest.times import parse_time

# The interval at which a follower reads the file and the server checks the connection.
POLL_SECONDS = 0.05
BLOCK_BYTES = 1 << 16
TIME_LENGTH = len("2026-01-01T00:00:00.000000000Z")
TEXT_OFFSET = TIME_LENGTH + len(" F ")
# The flag of a record that ends a line. Long lines consist of several records.
FULL = b"F"


class LogOptions(msgspec.Struct, frozen=True):
    """The part of a log to show, and its format.

    Attributes:
        follow: continue until the container ends.
        timestamps: start each line with its time.
        since: the first second to show, in RFC 3339 without a zone, which sorts as text.
        tail: the number of lines to show, from the end.
        limit: the number of bytes to show.
    """

    follow: bool = False
    timestamps: bool = False
    since: str = ""
    tail: int | None = None
    limit: int | None = None

    @classmethod
    def from_request(cls, request: Request, now: float) -> "LogOptions":
        """Return the options of a request; `now` is in seconds since 1970.

        Raises:
            StatusError: 400, an option is invalid.
        """
        since = ""
        seconds = request.number("sinceSeconds")
        if seconds is not None:
            since = _format_second(now - seconds)
        if text := request.query.get("sinceTime", ""):
            start = parse_time(text)
            if start is None:
                raise bad_request(f"sinceTime: Invalid value: {text!r}: not an RFC 3339 time")
            since = _format_second(start.timestamp())
        tail, limit = request.number("tailLines"), request.number("limitBytes")
        for name, value, least in (("tailLines", tail, 0), ("limitBytes", limit, 1)):
            if value is not None and value < least:
                raise bad_request(f"{name}: Invalid value: {value}: must be at least {least}")
        return cls(request.flag("follow"), request.flag("timestamps"), since, tail, limit)


def _format_second(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def read_log(
    path: Path, options: LogOptions, is_complete: Callable[[], bool]
) -> Iterator[bytes | None]:
    """Return an iterator over the pieces of a log; it yields None while a follower waits.

    The file is opened at once, so that a follower can read to the end even if the pod is deleted.

    Args:
        path: the file, which may not exist yet.
        options: the part to show.
        is_complete: returns True when nothing more will be written.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    pieces = _pieces(path.open("rb"), options, is_complete)
    next(pieces)  # start the generator, so that closing it closes the file
    return _limited(pieces, options.limit)


def _limited(pieces: Iterator[bytes | None], limit: int | None) -> Iterator[bytes | None]:
    if limit is None:
        yield from pieces
        return
    for piece in pieces:
        if piece is None:
            yield None
            continue
        yield piece[:limit]
        limit -= len(piece)
        if limit <= 0:
            return


def _pieces(
    file: BinaryIO, options: LogOptions, is_complete: Callable[[], bool]
) -> Iterator[bytes | None]:
    with file:
        yield None
        if options.tail is not None:
            file.seek(_tail_offset(file, options.tail))
        full = True
        while True:
            complete = is_complete()  # before the read, or the last lines could be lost
            before = file.tell()
            shown, full = _format(file, options, full)
            if shown:
                yield shown
            elif file.tell() > before:  # everything read was too old
                continue
            elif complete or not options.follow:
                return
            else:
                yield None
                time.sleep(POLL_SECONDS)


def _format(file: BinaryIO, options: LogOptions, full: bool) -> tuple[bytes, bool]:
    """Read and format the next lines; also return True if the last record ended a line."""
    start = file.tell()
    data = file.read(BLOCK_BYTES)
    end = data.rfind(b"\n") + 1
    while data and not end:  # a single line longer than a block
        more = file.read(BLOCK_BYTES)
        if not more:
            break
        data += more
        end = data.rfind(b"\n") + 1
    file.seek(start + end)
    since, shown = options.since.encode(), []
    for line in data[:end].split(b"\n")[:-1]:
        if line[: len(since)] < since:
            continue
        if options.timestamps and full:
            shown.append(line[: TIME_LENGTH + 1])
        full = line[TIME_LENGTH + 1 : TIME_LENGTH + 2] == FULL
        shown.append(line[TEXT_OFFSET:] + b"\n" if full else line[TEXT_OFFSET:])
    return b"".join(shown), full


def _tail_offset(file: BinaryIO, lines: int) -> int:
    """Return the offset of the last `lines` lines; an unfinished last line counts as one."""
    end = file.seek(0, os.SEEK_END)
    if lines == 0:
        return end
    found, after = 0, end
    for start in _record_offsets(file, end):
        if after < end and os.pread(file.fileno(), 1, start + TIME_LENGTH + 1) == FULL:
            found += 1
            if found == lines:
                return after
        after = start
    return 0


def _record_offsets(file: BinaryIO, end: int) -> Iterator[int]:
    """Yield the offsets of all records, the last one first."""
    position = max(0, end - 1)
    while position > 0:
        begin = max(0, position - BLOCK_BYTES)
        file.seek(begin)
        data = file.read(position - begin)
        at = len(data)
        while (at := data.rfind(b"\n", 0, at)) >= 0:
            yield begin + at + 1
        position = begin
    yield 0
