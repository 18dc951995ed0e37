"""The session of `sparktest up`: one per machine, and the file through which others find it."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec

from sparktest.cli.exits import Exit, ExitError
from sparktest.user_files import Session, data_folder, load_session, session_path

LOCK = "up.lock"


@contextmanager
def single_instance(environ: Mapping[str, str]) -> Iterator[None]:
    """Hold the lock of the data folder; the kernel releases it however the process ends.

    Raises:
        ExitError: another `sparktest up` holds it.
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
            session = load_session(environ)
            api = f", with its API at {session.backend_url}" if session else ""
            raise ExitError(
                f"sparktest up is running already{api}; open it with: sparktest tui", Exit.INFRA
            ) from error
        yield


@contextmanager
def session_file(environ: Mapping[str, str], session: Session) -> Iterator[Path]:
    """Keep a session file (mode 0600, written atomically) within a `with` block."""
    path = session_path(environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    values = {name: value for name, value in msgspec.structs.asdict(session).items() if value}
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items()
    ]
    fresh.unlink(missing_ok=True)
    private = partial(os.open, mode=0o600)
    with open(fresh, "x", encoding="utf-8", opener=private) as out:
        out.writelines(lines)
    fresh.replace(path)
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


def new_token() -> str:
    """Return a new random token."""
    return f"spt_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def free_port(preferred: int) -> int:
    """Return the preferred port of the loopback address, or a free one when it is in use."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            # As the server does: a port with connections in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ExitError("127.0.0.1 has no free port", Exit.INFRA)
