"""A fake program for tests of `sparktest up`.

`python -m tests.cli.up.fake_program [--print TEXT] [--serve] [--code N] [--killed] [--stubborn] …`
"""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import click

from sparktest.cli import parent_watch
from sparktest.client import ApiClient


class Handler(BaseHTTPRequestHandler):
    """A healthy API without runs; a controller that reads the run list is listed afterwards."""

    controllers: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Bearer {os.environ['SPARKTEST_TOKEN']}"
        if "SparkTest-Controller" in self.headers:
            self.controllers[:] = [{"cluster": "c", "seenAt": datetime.now(UTC).isoformat()}]
        document: object = []
        if self.path == "/api/health":
            document = {"status": "healthy"}
        elif self.path == "/api/controllers":
            document = self.controllers
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())


@click.command()
@click.option("--print", "text", default="")
@click.option("--serve", is_flag=True, help="Be healthy at SPARKTEST_PORT.")
@click.option("--call-api", is_flag=True, help="Call the API as a controller that is ready.")
@click.option("--code", type=int, help="End with this code.")
@click.option("--killed", is_flag=True, help="Die as of a kill -9.")
@click.option("--stubborn", is_flag=True, help="Do not end for a SIGTERM.")
@click.option("--offspring", is_flag=True, help="Have a child that does not end for a SIGTERM.")
@click.option("--stop-log", type=click.Path(path_type=Path), help="A file to write to at the end.")
@parent_watch.parent_watch_option
def main(
    text: str,
    serve: bool,
    call_api: bool,
    code: int | None,
    killed: bool,
    stubborn: bool,
    offspring: bool,
    stop_log: Path | None,
) -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: None if stubborn else stopped.set())
    if offspring:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.up.fake_program", "--stubborn", "--print", "child"]
        )
        click.echo(f"offspring {child.pid}")
    click.echo(text)
    if serve:
        server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["SPARKTEST_PORT"])), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    if call_api:
        url, token = os.environ["SPARKTEST_BACKEND_URL"], os.environ["SPARKTEST_TOKEN"]
        with ApiClient(url, token, cluster="c") as client:
            client.list_runs()
    if killed:
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if code is not None:
        sys.exit(code)
    # A signal handler runs between two waits: an endless one would keep it from running.
    while not stopped.wait(0.02):
        pass
    if stop_log:
        with stop_log.open("a") as out:
            out.write(f"{text}\n")


if __name__ == "__main__":
    # So that a stubborn one is killed within a test when its parent dies.
    parent_watch.ORPHAN_STOP_SECONDS = 0.3
    main()
