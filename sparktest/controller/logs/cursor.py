"""LogCursor: a position in a container's log, kept across streams. Pure."""

import re
from collections.abc import Sequence

# The timestamp that the kubelet writes before every line on request.
STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d) ")
STAMPS = re.compile(rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ", re.MULTILINE)
# The part of a timestamp that remains when a stream breaks inside it.
CUT_STAMP = re.compile(rb"[0-9TZ:.+-]*")
# A line of at least this many bytes is returned before its end has arrived.
LONG_LINE = 2**16
# The length of a timestamp up to its second.
SECOND_LENGTH = 19
GAP = b"[sparktest] part of the log is missing here: it was rotated away before it could be read\n"


class LogCursor:
    """A position in a log; removes the timestamps of chunks and advances past them.

    The position is the timestamp of the last line, and the number of text bytes read from all
    lines with this timestamp: it is exact even if many lines share a timestamp.

    Attributes:
        gaps: how often part of the log was missing; a line in the text marks each gap.
        rotated: the stream has continued into a file that has its own stream.
        stamp: the timestamp of the last line as the kubelet wrote it; b"" before the first line.
    """

    def __init__(self) -> None:
        self.gaps = 0
        self.rotated = False
        self.stamp = b""
        # The beginning of a line whose end has not arrived yet.
        self._partial = b""
        # True inside a line: of the stream, and of the returned text.
        self._in_line = False
        self._in_text_line = False
        self._taken = 0
        # While catching up: the bytes still to skip, the timestamp of the current line, and the
        # lines that may be new.
        self._to_skip: int | None = None
        self._current_stamp = b""
        self._unconfirmed: list[bytes] = []

    @property
    def since(self) -> str | None:
        """The second to resume from, as RFC 3339; None for the beginning of the log."""
        found = STAMP.match(self.stamp)
        return (found[1] + found[2]).decode() if found else None

    def resume(self) -> None:
        """Expect the next chunk from a new stream that was opened with `since`."""
        self._begin(self._taken if self.stamp else None)

    def next_file(self, *, complete: bool) -> bytes:
        """Return the rest of the last file; expect the beginning of the next file.

        `complete`: the last file has been read to its end.
        """
        gaps = self.gaps
        rest = self.finish()
        self._begin(None)
        self.rotated = False
        return rest if complete or self.gaps > gaps else rest + self._returned(self._mark_gap())

    def feed(self, data: bytes, next_files: Sequence[bytes] = ()) -> bytes:
        """Return the new text of the chunk, up to the beginning of another file.

        `next_files`: the first timestamps of the files that have their own streams, in order.
        """
        data = self._partial + data
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) >= LONG_LINE:
            cut = len(data)
        whole, self._partial = data[:cut], data[cut:]
        if next_files:
            whole = self._before_rotation(whole, next_files)
        return self._returned(self._new_text(whole))

    def finish(self) -> bytes:
        """Return the rest after the end of a stream: an unterminated line or unconfirmed lines."""
        rest, self._partial = self._partial, b""
        if not self._in_line and CUT_STAMP.fullmatch(rest):
            rest = b""
        text = self._new_text(rest)
        if self._unconfirmed or self._to_skip:
            text += self._mark_gap()
        return self._returned(text)

    def _begin(self, to_skip: int | None) -> None:
        self._partial, self._in_line, self._unconfirmed = b"", False, []
        self._to_skip = to_skip

    def _returned(self, text: bytes) -> bytes:
        self._in_text_line = not text.endswith(b"\n") if text else self._in_text_line
        return text

    def _new_text(self, whole: bytes) -> bytes:
        if not whole:
            return b""
        return self._strip_stamps(whole) if self._to_skip is None else self._catch_up(whole)

    def _before_rotation(self, whole: bytes, next_files: Sequence[bytes]) -> bytes:
        """Return the lines before the first line of another file.

        If the kubelet notices a rotation in time, it continues from the old file into the newest
        one. The newest would be read twice, and the files in between not at all.
        """
        ends = [at for stamp in next_files if (at := _line_at(whole, stamp)) is not None]
        last = STAMP.match(whole, whole.rfind(b"\n", 0, len(whole) - 1) + 1)
        if not ends and last and last[1] > _second(next_files[0]):
            # The lines of a newer file, which is not open: they are at least a second later.
            limit = _second(next_files[0])
            ends = [next(at.start() for at in STAMPS.finditer(whole) if _second(at[0]) > limit)]
        if not ends:
            return whole
        self.rotated, self._partial = True, b""
        return whole[: min(ends)]

    def _strip_stamps(self, whole: bytes) -> bytes:
        head = b""
        if self._in_line:
            head, newline, whole = whole.partition(b"\n")
            head += newline
            self._taken += len(head)
        self._in_line = not (whole or head).endswith(b"\n")
        if whole:
            self._move_to(whole)
        return head + STAMPS.sub(b"", whole)

    def _move_to(self, whole: bytes) -> None:
        begin = whole.rfind(b"\n", 0, len(whole) - 1) + 1
        found = STAMP.match(whole, begin)
        if not found:
            return
        stamp = found[0]
        if stamp != self.stamp:
            self.stamp, self._taken = stamp, 0
        same_stamp = re.compile(rb"^" + re.escape(stamp) + rb"(.*\n?)", re.MULTILINE)
        self._taken += sum(len(text) for text in same_stamp.findall(whole))

    def _catch_up(self, whole: bytes) -> bytes:
        """Return the text after the position, once the position has been found."""
        lines = _lines(whole)
        for number, line in enumerate(lines):
            text = line
            if not self._in_line:
                self._current_stamp = stamp_of(line)
                text = line[len(self._current_stamp) :]
            self._in_line = not line.endswith(b"\n")
            if self._current_stamp == self.stamp:
                fresh = self._skip(text)
                if self._to_skip is None:
                    return fresh + self._strip_rest(lines[number + 1 :])
            elif _second(self._current_stamp) >= _second(self.stamp):
                # Within a second, lines of stdout and stderr may come in any order.
                self._unconfirmed.append(line)
                if _second(self._current_stamp) > _second(self.stamp):
                    # A whole second later without the position: it was rotated away.
                    return self._mark_gap() + self._strip_rest(lines[number + 1 :])
        return b""

    def _skip(self, text: bytes) -> bytes:
        to_skip = self._to_skip or 0
        self._to_skip = to_skip - len(text)
        if self._to_skip > 0:
            return b""
        fresh = text[to_skip:]
        self._to_skip, self._unconfirmed = None, []
        self._taken += len(fresh)
        return fresh

    def _strip_rest(self, lines: list[bytes]) -> bytes:
        return self._strip_stamps(b"".join(lines)) if lines else b""

    def _mark_gap(self) -> bytes:
        unconfirmed, self._unconfirmed = b"".join(self._unconfirmed), []
        self._to_skip, self._in_line = None, False
        self.gaps += 1
        end_of_line = b"\n" if self._in_text_line else b""
        return end_of_line + GAP + (self._strip_stamps(unconfirmed) if unconfirmed else b"")


def stamp_of(line: bytes) -> bytes:
    """Return the timestamp at the beginning of a line with the space after it, or b""."""
    found = STAMP.match(line)
    return found[0] if found else b""


def _second(stamp: bytes) -> bytes:
    return stamp[:SECOND_LENGTH]


def _line_at(whole: bytes, stamp: bytes) -> int | None:
    """Return the index at which the line with this timestamp begins."""
    at = 0 if whole.startswith(stamp) else whole.find(b"\n" + stamp) + 1
    return at if at or whole.startswith(stamp) else None


def _lines(whole: bytes) -> list[bytes]:
    # bytes.splitlines also splits at \r, which progress bars use.
    parts = whole.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
