"""Read Server-Sent Events as the standard says; independent of the code under test."""

import json
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any


def parse(stream: bytes) -> list[tuple[str, bytes, str]]:
    """Return (kind, data, id) of each event in a complete stream."""
    return list(read([stream]))


def read(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes, str]]:
    """Yield (kind, data, id) of each event as it arrives."""
    buffer, last_id = b"", ""
    for chunk in chunks:
        buffer += chunk
        while b"\n\n" in buffer:
            block, _, buffer = buffer.partition(b"\n\n")
            kind, data = "message", []
            for line in block.split(b"\n"):
                name, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                if name == b"id":
                    last_id = value.decode()
                elif name == b"event":
                    kind = value.decode()
                elif name == b"data":
                    data.append(value)
            if data:
                yield kind, b"\n".join(data), last_id


class Reader:
    """A client of a stream, in a thread; `next` returns the next event."""

    def __init__(self, response: Any) -> None:
        self.last_id = ""
        self._response = response
        self._events: queue.Queue[tuple[str, bytes, str] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for event in read(self._response.response):
            self._events.put(event)
        self._events.put(None)

    def next(self) -> tuple[str, Any]:
        """Return kind and decoded data of the next event."""
        event = self._events.get(timeout=60)
        assert event is not None, "the stream ended"
        kind, data, self.last_id = event
        return kind, json.loads(data)

    def is_ended(self) -> bool:
        """Wait for the next event and return True when there is none because the stream ended."""
        return self._events.get(timeout=60) is None

    def wait_until_closed(self) -> None:
        """Wait until the stream has ended."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._response.close()
