"""Serve the API with gunicorn (threaded workers) until SIGTERM or SIGINT."""

import errno
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from sparktest.api import create_app, problems
from sparktest.api.context import MAX_STREAMS
from sparktest.api.hosts import is_loopback
from sparktest.api.scheduler import Scheduler
from sparktest.api.store import migrate
from sparktest.api.store.engine import is_sqlite, parse_url
from sparktest.errors import ConflictError, ForbiddenError, InvalidError, UnavailableError
from sparktest.settings import Settings

# Threads for everything but log streams, each of which occupies a thread of its own.
REQUEST_THREADS = 16
MIN_TOKEN_LENGTH = 16
GRACEFUL_SECONDS = 10
KEEP_ALIVE_SECONDS = 30
BACKLOG = 1024
# In memory: a busy disk would delay the heartbeat, and gunicorn would kill the worker.
HEARTBEAT = Path("/dev/shm")  # noqa: S108 - gunicorn creates an unlinked file there


def serve(settings: Settings) -> None:
    """Serve the API until the process is terminated; print the URL when it listens.

    Raises:
        ForbiddenError: without a token, it would be open to other machines or to a dev cluster.
        ConflictError: the port is in use.
        InvalidError: the address or the database URL is wrong.
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
    """Refuse to start without a token where other machines or a dev cluster could connect.

    Raises:
        ForbiddenError: there is no token, and the host is not loopback or there is a dev cluster;
            or the token is so short that it can be guessed.
    """
    if settings.token:
        if len(settings.token) < MIN_TOKEN_LENGTH:
            raise ForbiddenError(
                f"SPARKTEST_TOKEN has fewer than {MIN_TOKEN_LENGTH} characters, so it could be "
                "guessed; make a new one: openssl rand -hex 32"
            )
        return
    if not is_loopback(settings.host):
        raise ForbiddenError(
            f"SPARKTEST_HOST is {settings.host}, so other machines could start pods through this "
            "API: set SPARKTEST_TOKEN, or SPARKTEST_HOST=127.0.0.1"
        )
    # Imported here: it loads the Kubernetes client, which an API with a token may never need.
    from sparktest.kube.config import require_devcluster_token

    require_devcluster_token(settings)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 chooses a free port.

    Raises:
        ConflictError: another process listens there.
        InvalidError: the address is not one of this machine, or needs privileges.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise InvalidError(
            f"SPARKTEST_HOST: {host!r} is not an address: {error.strerror}"
        ) from error
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
    """Return the URL of the socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Worker(ThreadWorker):  # type: ignore[misc]
    """Threaded worker of gunicorn that answers its own errors as problems too."""

    def init_process(self) -> None:
        # gunicorn answers malformed HTTP by itself, with an HTML page.
        util.write_error = _write_problem
        super().init_process()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        # SIGTERM may arrive before the application is loaded.
        if getattr(self, "wsgi", None):
            self.wsgi.extensions["sparktest"].closing.set()


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn without its command line, configuration files and environment."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        # gunicorn closes the descriptor, and reads it again on SIGHUP.
        self._bind = f"fd://{listener.detach()}"
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": [self._bind],
            # Only one process can write to SQLite at a time: a second one would only wait.
            "workers": 1 if is_sqlite(parse_url(self._settings.database_url)) else 2,
            "worker_class": _Worker,
            "threads": REQUEST_THREADS + MAX_STREAMS,
            "worker_tmp_dir": str(HEARTBEAT) if HEARTBEAT.is_dir() else None,
            "limit_request_line": 8190,
            "graceful_timeout": GRACEFUL_SECONDS,
            "keepalive": KEEP_ALIVE_SECONDS,
            "loglevel": "debug" if self._settings.log_level == "debug" else "warning",
            # Its path is the same for all servers of a user.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # After the fork: processes must not share a database connection.
        app = create_app(self._settings)
        Scheduler(app.extensions["sparktest"]).start()
        return app


def _write_problem(client: socket.socket, status: int, reason: str, message: str) -> None:
    document = problems.encode_problem(status, reason.capitalize(), message or reason)
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
        f"Content-Type: {problems.MIMETYPE}\r\nContent-Length: {len(document)}\r\n\r\n"
    )
    util.write_nonblock(client, head.encode("latin-1") + document)
