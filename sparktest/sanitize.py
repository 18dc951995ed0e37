"""Make untrusted text safe to show on a terminal.

Text from a cluster, a client or a test may hold terminal sequences that set the clipboard or title,
move the cursor, reverse the reading direction or hide characters. All of them are removed; line
breaks and tabs stay.

A sequence ends at the end of its line at the latest. Lines are therefore independent of each other,
and an unterminated sequence hides at most the rest of its line.
"""

import codecs
import re
from typing import Any

# Deeper than any response of the API. What is nested deeper is dropped, to protect the stack.
MAX_DEPTH = 64
# How many bytes of an unfinished line are shown.
MAX_PENDING = 64 * 1024

# The C1 introducers DCS, SOS, CSI, OSC, PM, APC, and the two characters that each stands for.
_C1 = {chr(code): f"\x1b{chr(code - 0x40)}" for code in (0x90, 0x98, 0x9B, 0x9D, 0x9E, 0x9F)}
_ESCAPES = re.compile(
    "\x1b(?:"
    # OSC, DCS, SOS, PM, APC: to ST, BEL, CAN or SUB, or to the end of the line
    r"[\]PX^_][^\n\x07\x18\x1a\x1b\x9c]*(?:[\x07\x18\x1a\x9c]|\x1b\\)?"
    r"|\[[ -?]*[@-~]?"  # CSI: parameters, intermediates, a final letter
    r"|[ -/]*[0-~]?"  # every other escape
    ")"
)
_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0"  # no width
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"  # no width, bidi, separators
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"  # format characters
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff"  # lone surrogates cannot be encoded
    "]+"
)
# Most texts are ASCII, and one fast pass finds that none of these is in it.
_UNSAFE_ASCII = bytes([*range(9), *range(11, 32), 127])


def clean(value: Any, *, depth: int = MAX_DEPTH) -> Any:
    """Return decoded JSON with all of its strings, including keys, safe to show.

    `depth`: the levels to keep.
    """
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {
            clean(key): clean(item, depth=depth - 1) if depth else None
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [clean(item, depth=depth - 1) for item in value] if depth else []
    return value


def clean_text(text: str) -> str:
    """Remove terminal sequences, controls, bidi overrides and zero-width characters.

    Newlines and tabs stay. Of a line that overwrites itself with carriage returns (a progress
    bar) only the last state stays.
    """
    # str.isprintable() misses zero-width characters, but ASCII has none.
    if text.isascii() and (text.isprintable() or _is_safe_ascii(text)):
        return text
    for introducer, pair in _C1.items():
        text = text.replace(introducer, pair)
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(map(_last_overwrite, text.split("\n")))
    return text if text.isascii() and _is_safe_ascii(text) else _UNSAFE.sub("", text)


class StreamCleaner:
    """Turns the chunks of a log into safe text, one complete line at a time.

    The text does not depend on where the log was split. Invalid UTF-8 becomes U+FFFD.
    """

    def __init__(self) -> None:
        self._tail: list[bytes] = []

    def feed(self, data: bytes) -> str:
        """Return the lines that this chunk completes, each with its newline."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._tail += [data] if data else []
            return ""
        whole = b"".join([*self._tail, data[:end]])
        self._tail = [data[end:]] if end < len(data) else []
        return _decode_clean(whole)

    def end(self) -> str:
        """Return the unfinished line, and reset."""
        whole, self._tail = b"".join(self._tail), []
        return _decode_clean(whole)

    @property
    def pending(self) -> str:
        """The unfinished line as far as it is known; feed() or end() will return it too."""
        tail = b"".join(self._tail)
        self._tail = [tail] if tail else []
        if len(tail) > MAX_PENDING:
            cut = tail.find(b"\r", len(tail) - MAX_PENDING)
            tail = tail[cut + 1 :] if cut >= 0 else tail[:MAX_PENDING]
        # An incremental decoder omits an incomplete character at the end.
        return clean_text(codecs.getincrementaldecoder("utf-8")("replace").decode(tail))


def _is_safe_ascii(ascii_text: str) -> bool:
    data = ascii_text.encode("ascii")
    return len(data.translate(None, _UNSAFE_ASCII)) == len(data)


def _decode_clean(whole: bytes) -> str:
    return clean_text(whole.decode("utf-8", "replace"))


def _last_overwrite(line: str) -> str:
    return line.rstrip("\r").rsplit("\r", 1)[-1]
