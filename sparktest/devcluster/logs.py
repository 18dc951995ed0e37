"""The logs of containers: read from their files as `kubectl logs` wants them."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from sparktest.devcluster.api_errors import bad_request
from sparktest.devcluster.clock import moment
from sparktest.devcluster.requests import Request

# How often a follower looks for more, and its writer whether anybody still listens.
LOOK_SECONDS = 0.05
BLOCK = 1 << 16
STAMP = len("2026-01-01T00:00:00.000000000Z")
TEXT = STAMP + len(" F ")
# The mark of a record that ends a line; what is in parts ends with the first such one.
WHOLE = b"F"


class LogOptions(msgspec.Struct, frozen=True):
    """What to show of a log: `since` is a time to the second, as text that sorts."""

    follow: bool = False
    timestamps: bool = False
    since: str = ""
    tail: int | None = None
    limit: int | None = None

    @classmethod
    def of(cls, request: Request, now: float) -> "LogOptions":
        """The options of a request; 400 for one that cannot be."""
        since = ""
        seconds = request.number("sinceSeconds")
        if seconds is not None:
            since = _second(now - seconds)
        if text := request.query.get("sinceTime", ""):
            try:
                since = _second(moment(text).timestamp())
            except ValueError as error:
                raise bad_request(
                    f"sinceTime: Invalid value: {text!r}: no RFC 3339 time"
                ) from error
        tail, limit = request.number("tailLines"), request.number("limitBytes")
        for name, value, least in (("tailLines", tail, 0), ("limitBytes", limit, 1)):
            if value is not None and value < least:
                raise bad_request(f"{name}: Invalid value: {value}: must be at least {least}")
        return cls(request.flag("follow"), request.flag("timestamps"), since, tail, limit)


def _second(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def read(path: Path, options: LogOptions, over: Callable[[], bool]) -> Iterator[bytes | None]:
    """The log in pieces; None now and then while a follower waits.

    The file is opened before the first piece is asked for, so a follower reads to the end even
    where the pod is deleted meanwhile.

    Args:
        path: the file, which need not be there yet.
        options: what of it.
        over: whether nothing more will be written.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    pieces = _pieces(path.open("rb"), options, over)
    next(pieces)  # from now on the file is closed with it, whatever happens to the answer
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
    file: BinaryIO, options: LogOptions, over: Callable[[], bool]
) -> Iterator[bytes | None]:
    with file:
        yield None
        if options.tail is not None:
            file.seek(_tail(file, options.tail))
        whole = True
        while True:
            ending = over()  # asked first: what is written before the end is read after it
            before = file.tell()
            shown, whole = _shown(file, options, whole)
            if shown:
                yield shown
            elif file.tell() > before:  # all of it too old, and more may follow
                continue
            elif ending or not options.follow:
                return
            else:
                yield None
                time.sleep(LOOK_SECONDS)


def _shown(file: BinaryIO, options: LogOptions, whole: bool) -> tuple[bytes, bool]:
    """The next lines as they are shown, and whether the last of them was a whole one."""
    start = file.tell()
    data = file.read(BLOCK)
    end = data.rfind(b"\n") + 1
    while data and not end:  # a single line longer than a block
        more = file.read(BLOCK)
        if not more:
            break
        data += more
        end = data.rfind(b"\n") + 1
    file.seek(start + end)
    since, shown = options.since.encode(), []
    for line in data[:end].split(b"\n")[:-1]:
        if line[: len(since)] < since:
            continue
        if options.timestamps and whole:
            shown.append(line[: STAMP + 1])
        whole = line[STAMP + 1 : STAMP + 2] == WHOLE
        shown.append(line[TEXT:] + b"\n" if whole else line[TEXT:])
    return b"".join(shown), whole


def _tail(file: BinaryIO, lines: int) -> int:
    """Where the last so many lines begin; what has no end of line is one too."""
    end = file.seek(0, os.SEEK_END)
    if lines == 0:
        return end
    found, after = 0, end
    for start in _starts(file, end):
        if after < end and os.pread(file.fileno(), 1, start + STAMP + 1) == WHOLE:
            found += 1
            if found == lines:
                return after
        after = start
    return 0


def _starts(file: BinaryIO, end: int) -> Iterator[int]:
    """Where the records begin, the last one first."""
    position = max(0, end - 1)
    while position > 0:
        begin = max(0, position - BLOCK)
        file.seek(begin)
        data = file.read(position - begin)
        at = len(data)
        while (at := data.rfind(b"\n", 0, at)) >= 0:
            yield begin + at + 1
        position = begin
    yield 0
