"""The body of an answer as it comes, many HTTP chunks at once.

The kubelet sends each line of a log as a chunk of its own. urllib3 hands these on one by one, and
for a log of millions of lines that is most of the work of storing it.
"""

import functools
from collections.abc import Iterator
from typing import Any

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import ProtocolError

# What is read at once, if so much has come.
SIZE = 2**16
MAX_HEADER = 2**16


def body_of(response: BaseHTTPResponse) -> Iterator[bytes]:
    """The body in pieces of any size; each is handed on as soon as it is there.

    Raises:
        ProtocolError: it breaks off, or is no chunked body.
        OSError: the connection breaks, or is silent for too long.
    """
    http = _chunked(response)
    if http is None:
        yield from response.stream(SIZE)
        return
    decoder = Decoder()
    try:
        while not decoder.ended:
            # Takes what is there, and waits only where nothing is.
            if text := decoder.feed(http.fp.read1(SIZE)):
                yield text
    except (OSError, ProtocolError):
        response.close()
        raise
    if decoder.rest == b"\r\n\r\n":
        # Read to its last byte: the connection can serve the next request.
        http.close()
        response.release_conn()
    else:
        response.close()


def _chunked(response: BaseHTTPResponse) -> Any:
    """The http.client response under a chunked body; None where only urllib3 can read the body."""
    if not getattr(response, "chunked", False) or "content-encoding" in response.headers:
        return None
    # Private: a version of urllib3 without it reads in its own way.
    http = getattr(response, "_fp", None)
    return http if hasattr(getattr(http, "fp", None), "read1") else None


class Decoder:
    """Takes pieces of a chunked body (RFC 9112, section 7.1), gives what is in the chunks.

    Attributes:
        ended: the last chunk has come.
        rest: what has come and is not decoded: after the end, the line ends that belong to it.
    """

    def __init__(self) -> None:
        self.ended = False
        # Every size stands between two line ends, but for the first.
        self.rest = b"\r\n"
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """The content that is new.

        Raises:
            ProtocolError: nothing came, so the body breaks off; or it is not chunked.
        """
        if not data:
            raise ProtocolError("Response ended prematurely")
        data = self.rest + data
        at, left, parts = 0, self._left, []
        while True:
            if left:
                stop = at + left
                parts.append(data[at:stop])
                if stop > len(data):
                    at, left = len(data), stop - len(data)
                    break
                at = stop
            left = 0
            end = data.find(b"\r\n", at + 2)
            if end < 0:
                break
            left = _size(data[at:end])
            if not left:
                self.ended, at = True, end
                break
            at = end + 2
        self.rest, self._left = data[at:], left
        if len(self.rest) > MAX_HEADER and not self.ended:
            raise ProtocolError("Response chunk size line exceeded maximum allowed length")
        return b"".join(parts)


# Lines have few lengths, so most sizes have been read before.
@functools.lru_cache(maxsize=4096)
def _size(header: bytes) -> int:
    try:
        size = int(header[2:].split(b";", 1)[0], 16)
    except ValueError:
        size = -1
    if size < 0 or not header.startswith(b"\r\n"):
        raise ProtocolError(f"Response chunk has no size: {header[:40]!r}")
    return size
