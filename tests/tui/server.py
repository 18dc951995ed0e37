"""The fake API over HTTP, for a terminal UI in another process.

`python -m tests.tui.server 8080 10000` serves ten thousand runs on that port until it is stopped.
"""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from sparktest.errors import SparkTestError
from tests.tui.fakes import FakeApi, make_runs

BANNER = b"\x1b[1m== pytest %s ==\x1b[0m\n"


class Handler(BaseHTTPRequestHandler):
    """Serves `api`; `serve` makes a subclass with it."""

    api: FakeApi
    token: str | None = None
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self._handle(url.path.removeprefix("/api").strip("/").split("/"), query)

    do_POST = do_DELETE = do_GET  # noqa: N815 - the names of http.server

    def log_message(self, *args: Any) -> None:
        """Write no access log."""

    def _handle(self, parts: list[str], query: dict[str, str]) -> None:
        try:
            if self.token and self.headers["Authorization"] != f"Bearer {self.token}":
                self._answer(401, {"detail": "a token is needed"})
            elif self.command == "GET" and parts == ["test-runs"]:
                self._list(query)
            elif self.command == "GET" and parts[2:] == ["logs"]:
                self._log(parts[1], int(query.get("offset", 0)))
            elif self.command == "GET":
                self._answer(200, self.api.get_run(parts[1]))
            elif self.command == "DELETE":
                self.api.delete_run(parts[1])
                self._answer(204, None)
            else:
                self._answer(202, self.api.cancel_run(parts[1]))
        except SparkTestError as error:
            self._answer(error.status, {"detail": error.detail})

    def _list(self, query: dict[str, str]) -> None:
        since = query.get("updatedSince")
        page = self.api.list_runs(
            updated_since=datetime.fromisoformat(since) if since else None,
            cursor=query.get("cursor"),
            limit=int(query.get("limit", 100)),
        )
        link = f'<{self.path.split("?")[0]}?cursor={page.next}>; rel="next"' if page.next else ""
        self._answer(200, page.runs, {"Link": link} if link else {})

    def _log(self, run_id: str, offset: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in self.api.follow_log(run_id, offset=offset):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if body is None else msgspec.json.encode(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        # Kept-alive connections would be served after the server is closed.
        self.send_header("Connection", "close")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def serve(api: FakeApi, port: int = 0, token: str | None = None) -> ThreadingHTTPServer:
    """Return a server of this API on loopback; the caller runs `serve_forever` and closes it."""
    kind = type("Bound", (Handler,), {"api": api, "token": token})
    server = ThreadingHTTPServer(("127.0.0.1", port), kind)
    server.daemon_threads = True
    return server


def example_log(run_id: str) -> Iterator[bytes]:
    """Yield a log that grows for a few seconds."""
    yield BANNER % run_id[:8].encode()
    for step in range(40):
        colour = b"\x1b[31mFAIL\x1b[0m" if step % 13 == 7 else b"\x1b[32mok\x1b[0m"
        yield b"%s  test_step_%02d  %d ms\n" % (colour, step, 12 + step * 7 % 90)
    for percent in range(0, 101, 4):
        yield b"\ruploading report %d %%" % percent
        time.sleep(0.2)
    yield b"\ndone, see the report at https://reports.example/%s\n" % run_id[:8].encode()


if __name__ == "__main__":
    example = FakeApi(make_runs(int(sys.argv[2]), now=datetime.now(UTC)))
    example.more = example_log
    serve(example, int(sys.argv[1]), *sys.argv[3:]).serve_forever()
