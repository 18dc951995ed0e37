"""A program that does as little as possible of what one of ours does.

`python -m tests.cli.standin [--say WORDS] [--serve] [--code N] [--killed] [--stubborn] …`
"""

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click

from sparktest.cli import lifeline


class Handler(BaseHTTPRequestHandler):
    """Healthy, without runs, and only for who has the token."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Bearer {os.environ['SPARKTEST_TOKEN']}"
        document: object = {"status": "healthy"} if self.path == "/api/health" else []
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())


@click.command()
@click.option("--say", default="")
@click.option("--serve", is_flag=True, help="Be healthy at SPARKTEST_PORT.")
@click.option("--code", type=int, help="End with this code.")
@click.option("--killed", is_flag=True, help="Die as of a kill -9.")
@click.option("--stubborn", is_flag=True, help="Do not end for a SIGTERM.")
@click.option("--offspring", is_flag=True, help="Have a child that does not end for a SIGTERM.")
@click.option("--diary", type=click.Path(path_type=Path), help="A file for name and last words.")
@lifeline.lifeline_option
def main(
    say: str,
    serve: bool,
    code: int | None,
    killed: bool,
    stubborn: bool,
    offspring: bool,
    diary: Path | None,
) -> None:
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: None if stubborn else told.set())
    if offspring:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.standin", "--stubborn", "--say", "child"]
        )
        click.echo(f"offspring {child.pid}")
    click.echo(say)
    if serve:
        server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["SPARKTEST_PORT"])), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    if killed:
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if code is not None:
        sys.exit(code)
    # A signal handler runs between two waits: an endless one would keep it from running.
    while not told.wait(0.02):
        pass
    if diary:
        with diary.open("a") as out:
            out.write(f"{say}\n")


if __name__ == "__main__":
    # So that a lifeline that is cut ends a stubborn one within a test.
    lifeline.GRACE_SECONDS = 0.3
    main()
