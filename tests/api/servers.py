"""The server as a process, and raw connections to it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PROGRAM = """
from sparktest.api.server import serve
from sparktest.settings import load
serve(load())
"""
# Reloading loads all modules twice, which takes long on a busy machine.
TIMEOUT_SECONDS = 60


@contextmanager
def running(
    database_url: str, program: str = PROGRAM, **environment: str
) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """Start the server; yield the process and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "SPARKTEST_PORT": "0",
            "SPARKTEST_DATABASE_URL": database_url,
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        yield process, line.rpartition(" ")[2].strip()
    finally:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
