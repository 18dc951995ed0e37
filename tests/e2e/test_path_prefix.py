"""The API behind a reverse proxy that removes a path prefix, as an ingress does."""

import http.client
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urljoin

import pytest
import requests

from tests.e2e.stack import IMAGE, TOKEN, Stack

pytestmark = pytest.mark.e2e
PREFIX = "/tools/sparktest"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def handler_to(port: int) -> type[BaseHTTPRequestHandler]:
    """Return a handler that forwards requests below PREFIX to this port, without the prefix."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _forward(self) -> None:
            if not self.path.startswith(f"{PREFIX}/"):
                self.send_error(404, "no such site")
                return
            length = int(self.headers.get("Content-Length") or 0)
            headers = {
                **{name: value for name, value in self.headers.items() if name != "Host"},
                "X-Forwarded-Prefix": PREFIX,
                "X-Forwarded-Host": "ci.example.org",
            }
            upstream = http.client.HTTPConnection("127.0.0.1", port)
            body = self.rfile.read(length)
            upstream.request(self.command, self.path.removeprefix(PREFIX), body, headers)
            answer = upstream.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            upstream.close()

        do_GET = do_POST = do_PUT = _forward  # noqa: N815 - the names of http.server

    return Handler


@pytest.fixture
def url(stack: Stack) -> Iterator[str]:
    """The URL of the API behind a proxy."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_to(stack.port))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{PREFIX}/api"
    server.shutdown()
    server.server_close()


def post(url: str, **body: object) -> requests.Response:
    answer = requests.post(url, json=body, headers=HEADERS, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer


def test_links_and_locations_stay_behind_the_prefix(stack: Stack, url: str) -> None:
    definition = post(f"{url}/test-definitions", name="behind-a-proxy", image=IMAGE)
    location = urljoin(definition.url, definition.headers["Location"])
    run = post(f"{location}/run", commands=["true"])
    created = [
        definition,
        run,
        post(f"{url}/test-runs/{run.json()['id']}/rerun"),
        post(f"{url}/test-runs", name="behind-a-proxy", image=IMAGE, commands=["true"]),
    ]

    for answer in created:
        location = urljoin(answer.url, answer.headers["Location"])
        found = requests.get(location, headers=HEADERS, timeout=30)
        assert (found.status_code, found.json()["id"]) == (200, answer.json()["id"])

    page = requests.get(f"{url}/runs?q=behind&limit=2", headers=HEADERS, timeout=30)
    following = urljoin(page.url, page.links["next"]["url"])
    rest = requests.get(following, headers=HEADERS, timeout=30)
    ids = [one["id"] for one in (*page.json(), *rest.json())]
    assert ids == [answer.json()["id"] for answer in reversed(created[1:])]


def test_the_cli_works_through_the_proxy(stack: Stack, url: str) -> None:
    environ = stack.environ | {"SPARKTEST_BACKEND_URL": url.removesuffix("/api")}
    command = ["run", "--image", IMAGE, "--follow", "--", "echo", "through the proxy"]

    ended = subprocess.run(
        [sys.executable, "-m", "sparktest", *command],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert (ended.returncode, ended.stdout) == (0, "through the proxy\n"), ended.stderr
