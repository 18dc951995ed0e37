"""The session: who is up on this machine, and how CLI and terminal UI find it."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from sparktest.cli.exits import Exit, ExitError
from sparktest.settings import data_folder, load, session_file

LOCK = "up.lock"


@contextmanager
def only_one(environ: Mapping[str, str]) -> Iterator[None]:
    """Be the only `sparktest up` of this data folder; the kernel lets go however we end.

    Raises:
        ExitError: another one is up.
    """
    folder = data_folder(environ)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a")
    except OSError as error:
        raise ExitError(f"{folder}: {error.strerror}", Exit.INFRA) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ExitError(
                f"sparktest up is running already, with its API at {load(environ).backend_url}; "
                "open it with: sparktest tui",
                Exit.INFRA,
            ) from error
        yield


@contextmanager
def announced(environ: Mapping[str, str], backend_url: str, token: str) -> Iterator[Path]:
    """The session file, there for as long as the `with`: 0600, and whole at every moment."""
    path = session_file(environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    text = f"backend_url = {json.dumps(backend_url)}\ntoken = {json.dumps(token)}\n"
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:  # noqa: PTH123 - of a descriptor
        out.write(text)
    fresh.replace(path)
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


def new_token() -> str:
    """A token that nobody can guess."""
    return f"spt_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def free_port(wanted: int) -> int:
    """The wanted port of the loopback address, or a free one where another program has it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            # As the server does: a port whose last connections are still closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ExitError("127.0.0.1 has no free port", Exit.INFRA)
