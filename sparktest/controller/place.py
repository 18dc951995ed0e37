"""Where in a container's log a reader is, so that it can go on there through another stream."""

import re
from collections.abc import Sequence

# The kubelet puts one in front of every line that it was asked for with timestamps.
STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d) ")
STAMPS = re.compile(rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ", re.MULTILINE)
# What a stream leaves that breaks inside a timestamp.
CUT_STAMP = re.compile(rb"[0-9TZ:.+-]*")
# A line longer than this is handed on before its end is known.
LONG_LINE = 2**16
# Of a timestamp, up to its second.
SECOND = 19
GAP = b"[sparktest] part of the log is missing here: it was rotated away before it could be read\n"


class Place:
    """Takes the chunks of a log with timestamps, gives the text, and remembers where it is.

    A place is the timestamp of the last line and how many bytes of text of lines with that
    timestamp have been taken: exact even where many lines share one.

    Attributes:
        gaps: how often part of the log was missing; the text says so at each place.
        passed: the stream has gone over into a file that has a stream of its own.
    """

    def __init__(self) -> None:
        self.gaps = 0
        self.passed = False
        self._carry = b""
        # Whether the next byte goes on with a line: in the stream, and in the text given.
        self._inside = False
        self._open = False
        self._stamp = b""
        self._taken = 0
        # While catching up: bytes still to pass over, the timestamp of the line that the stream
        # is in, and lines that may turn out to be new.
        self._behind: int | None = None
        self._reading = b""
        self._doubtful: list[bytes] = []

    @property
    def stamp(self) -> bytes:
        """The timestamp of the last line, as the kubelet wrote it; empty before the first."""
        return self._stamp

    @property
    def since(self) -> str | None:
        """The second to read from to find the place again; None for the beginning."""
        found = STAMP.match(self._stamp)
        return (found[1] + found[2]).decode() if found else None

    def resume(self) -> None:
        """The next chunk is from a new stream that was opened with `since`."""
        self._begin(self._taken if self._stamp else None)

    def next_file(self, *, whole: bool) -> bytes:
        """What the last file still has; the next chunk is the beginning of the next file.

        `whole`: the last file has been read to its end.
        """
        gaps = self.gaps
        rest = self.finish()
        self._begin(None)
        self.passed = False
        return rest if whole or self.gaps > gaps else rest + self._given(self._lost())

    def feed(self, data: bytes, next_files: Sequence[bytes] = ()) -> bytes:
        """The text that is new, up to the beginning of another file.

        `next_files`: the first timestamps of the files that have streams of their own, in order.
        """
        data = self._carry + data
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) >= LONG_LINE:
            cut = len(data)
        whole, self._carry = data[:cut], data[cut:]
        if next_files:
            whole = self._before(whole, next_files)
        return self._given(self._new(whole))

    def finish(self) -> bytes:
        """What is left when a stream has ended: a last line without an end, or doubtful ones."""
        rest, self._carry = self._carry, b""
        if not self._inside and CUT_STAMP.fullmatch(rest):
            rest = b""
        text = self._new(rest)
        if self._doubtful or self._behind:
            text += self._lost()
        return self._given(text)

    def _begin(self, behind: int | None) -> None:
        self._carry, self._inside, self._doubtful = b"", False, []
        self._behind = behind

    def _given(self, text: bytes) -> bytes:
        self._open = not text.endswith(b"\n") if text else self._open
        return text

    def _new(self, whole: bytes) -> bytes:
        if not whole:
            return b""
        return self._text(whole) if self._behind is None else self._catch_up(whole)

    def _before(self, whole: bytes, next_files: Sequence[bytes]) -> bytes:
        """The lines up to the first of another file.

        The kubelet goes over from an old file into the newest by itself when it hears in time
        that there is one. That file would be read twice, and those between not at all.
        """
        ends = [at for stamp in next_files if (at := _line_at(whole, stamp)) is not None]
        last = STAMP.match(whole, whole.rfind(b"\n", 0, len(whole) - 1) + 1)
        if not ends and last and last[1] > next_files[0][:SECOND]:
            # Not one of these files, but a newer one: its lines are a whole second later.
            stamps = STAMPS.finditer(whole)
            ends = [next(at.start() for at in stamps if at[0][:SECOND] > next_files[0][:SECOND])]
        if not ends:
            return whole
        self.passed, self._carry = True, b""
        return whole[: min(ends)]

    def _text(self, whole: bytes) -> bytes:
        head = b""
        if self._inside:
            head, newline, whole = whole.partition(b"\n")
            head += newline
            self._taken += len(head)
        self._inside = not (whole or head).endswith(b"\n")
        if whole:
            self._remember(whole)
        return head + STAMPS.sub(b"", whole)

    def _remember(self, whole: bytes) -> None:
        begin = whole.rfind(b"\n", 0, len(whole) - 1) + 1
        found = STAMP.match(whole, begin)
        if not found:
            return
        stamp = found[0]
        if stamp != self._stamp:
            self._stamp, self._taken = stamp, 0
        alike = re.compile(rb"^" + re.escape(stamp) + rb"(.*\n?)", re.MULTILINE)
        self._taken += sum(len(text) for text in alike.findall(whole))

    def _catch_up(self, whole: bytes) -> bytes:
        """The text after the place, once it has been found."""
        lines = _lines(whole)
        for number, line in enumerate(lines):
            text = line
            if not self._inside:
                found = STAMP.match(line)
                self._reading = found[0] if found else b""
                text = line[len(self._reading) :]
            self._inside = not line.endswith(b"\n")
            if self._reading == self._stamp:
                fresh = self._pass_over(text)
                if self._behind is None:
                    return fresh + self._rest(lines[number + 1 :])
            elif self._reading[:SECOND] >= self._stamp[:SECOND]:
                # Within a second stdout and stderr may come in any order.
                self._doubtful.append(line)
                if self._reading[:SECOND] > self._stamp[:SECOND]:
                    # A whole second later and the place was not there: it is gone.
                    return self._lost() + self._rest(lines[number + 1 :])
        return b""

    def _pass_over(self, text: bytes) -> bytes:
        behind = self._behind or 0
        self._behind = behind - len(text)
        if self._behind > 0:
            return b""
        fresh = text[behind:]
        self._behind, self._doubtful = None, []
        self._taken += len(fresh)
        return fresh

    def _rest(self, lines: list[bytes]) -> bytes:
        return self._text(b"".join(lines)) if lines else b""

    def _lost(self) -> bytes:
        doubtful, self._doubtful = b"".join(self._doubtful), []
        self._behind, self._inside = None, False
        self.gaps += 1
        end_of_line = b"\n" if self._open else b""
        return end_of_line + GAP + (self._text(doubtful) if doubtful else b"")


def _line_at(whole: bytes, stamp: bytes) -> int | None:
    """Where the line with this timestamp begins."""
    at = 0 if whole.startswith(stamp) else whole.find(b"\n" + stamp) + 1
    return at if at or whole.startswith(stamp) else None


def _lines(whole: bytes) -> list[bytes]:
    # bytes.splitlines also splits at \r, which a progress bar is full of.
    parts = whole.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
