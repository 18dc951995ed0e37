"""What a session of `sparktest up` needs: the lock of the only instance, a token and a port."""

import fcntl
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sparktest.cli.exits import Exit, ExitError
from sparktest.user_files import data_folder, load_session

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


def new_token() -> str:
    """Return a new random token."""
    return f"spt_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def free_port(preferred: int, host: str = "127.0.0.1") -> int:
    """Return the preferred port of this address, or a free one when it is in use.

    Raises:
        ExitError: no port of the address can be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in (preferred, 0):
        with socket.socket(family) as probe:
            # As the server does: a port with connections in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ExitError(f"{host} is no address of this machine, or has no free port", Exit.INFRA)


def local_url(host: str, port: int) -> str:
    """Return the URL at which programs of this machine reach what listens on the address."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not to listen
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
