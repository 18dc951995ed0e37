"""The server: gunicorn with threads, in this process. `serve` runs until SIGTERM or SIGINT."""

import errno
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from sparktest.api import create_app, problems
from sparktest.api.auth import is_loopback
from sparktest.api.context import MAX_STREAMS
from sparktest.api.store import migrate
from sparktest.api.store.engine import parse_url
from sparktest.errors import ConflictError, ForbiddenError, InvalidError, UnavailableError
from sparktest.settings import Settings

# Threads for everything but followers of logs, each of which holds one of its own.
REQUEST_THREADS = 16
GRACEFUL_SECONDS = 10
KEEP_ALIVE_SECONDS = 30
BACKLOG = 1024
# In memory, since a busy disk that delays the heartbeat would get the worker killed.
HEARTBEAT = Path("/dev/shm")  # noqa: S108 - gunicorn makes an unlinked file of its own there


def serve(settings: Settings) -> None:
    """Serve the API until the process is told to end; prints its address when it listens.

    Raises:
        ForbiddenError: without a token it would be open to other machines or to a dev cluster.
        ConflictError: the port is taken.
        InvalidError: the address or the database's address is wrong.
        UnavailableError: the database does not answer, or the server could not start.
    """
    refuse_exposure(settings)
    listener = listen(settings.host, settings.port)
    with listener:
        migrate.upgrade(settings.database_url)
        sys.stdout.write(f"SparkTest API at {address(listener)}\n")
        sys.stdout.flush()
        try:
            _Server(settings, listener).run()
        except SystemExit as end:
            if end.code:
                raise UnavailableError("the API could not start; see the log above") from end


def refuse_exposure(settings: Settings) -> None:
    """Let only this machine in where nothing else protects the API, and not to a dev cluster.

    Raises:
        ForbiddenError: there is no token, and the host is not loopback or there is a dev cluster.
    """
    if settings.token:
        return
    if not is_loopback(settings.host):
        raise ForbiddenError(
            f"SPARKTEST_HOST is {settings.host}, so other machines could start pods through this "
            "API: set SPARKTEST_TOKEN, or SPARKTEST_HOST=127.0.0.1"
        )
    # Not at the top: it loads the Kubernetes client, which an API with a token may never need.
    from sparktest.kube.config import refuse_open_devcluster

    refuse_open_devcluster(settings)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one.

    Raises:
        ConflictError: another process listens there.
        InvalidError: the address is none of this machine, or needs rights.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise InvalidError(f"SPARKTEST_HOST: {host!r} is no address: {error.strerror}") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"port {port} on {host} is taken; stop what listens there, or choose another "
                "with --port or SPARKTEST_PORT (0: any free one)"
            ) from error
        raise InvalidError(
            f"SPARKTEST_HOST, SPARKTEST_PORT: cannot listen on {host} port {port}: {error.strerror}"
        ) from error


def address(listener: socket.socket) -> str:
    """The URL that the socket is reached at."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker with threads, whose errors are problems too."""

    def init_process(self) -> None:
        # gunicorn answers what is not even HTTP by itself, with a page.
        util.write_error = _write_problem
        super().init_process()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        # SIGTERM may come before the application is there.
        if getattr(self, "wsgi", None):
            self.wsgi.extensions["sparktest"].closing.set()


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn without its command line, files and environment."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        sqlite = parse_url(self._settings.database_url).get_backend_name() == "sqlite"
        options: dict[str, Any] = {
            # gunicorn closes it; two owners of one descriptor would close somebody else's.
            "bind": [f"fd://{self._listener.detach()}"],
            # SQLite lets one process write at a time: a second one would only wait.
            "workers": 1 if sqlite else 2,
            "worker_class": _Worker,
            "threads": REQUEST_THREADS + MAX_STREAMS,
            "worker_tmp_dir": str(HEARTBEAT) if HEARTBEAT.is_dir() else None,
            "limit_request_line": 8190,
            "graceful_timeout": GRACEFUL_SECONDS,
            "keepalive": KEEP_ALIVE_SECONDS,
            "loglevel": "debug" if self._settings.log_level == "debug" else "warning",
            # It would be one fixed path for all servers of this user.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # After the fork: a connection to the database must not be shared by two processes.
        return create_app(self._settings)


def _write_problem(client: socket.socket, status: int, reason: str, message: str) -> None:
    document = msgspec.json.encode(
        {
            "type": f"urn:sparktest:problem:{reason.lower().replace(' ', '-')}",
            "title": reason,
            "status": status,
            "detail": message or reason,
        }
    )
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
        f"Content-Type: {problems.MIMETYPE}\r\nContent-Length: {len(document)}\r\n\r\n"
    )
    util.write_nonblock(client, head.encode("latin-1") + document)
