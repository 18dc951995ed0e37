"""A git repository for tests, and servers for it."""

import base64
import contextlib
import functools
import os
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from tests.requirements import require_program

USER, PASSWORD = "reader", "k9$(x)'\" pass"


class Repository(NamedTuple):
    """A bare repository `tests.git` in a folder.

    `main` has the file say.txt with `main`, `feature` and the tag v1 have it with their own names;
    sub/say.txt has `sub`. The tag is annotated, and its commit is on no branch's tip.
    """

    folder: Path
    commits: dict[str, str]

    @property
    def url(self) -> str:
        """Its URL for programs of this machine."""
        return f"file://{self.folder}/tests.git"


def make_repository(folder: Path) -> Repository:
    """Create the repository in a folder."""
    work, bare = folder / "work", folder / "tests.git"
    commits: dict[str, str] = {}

    def git(*args: str, cwd: Path = work) -> str:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        argv = [require_program("git"), *identity, *args]
        environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(folder)}
        return subprocess.run(
            argv, cwd=cwd, env=environ, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(name: str) -> None:
        (work / "say.txt").write_text(f"{name}\n")
        git("add", ".")
        git("commit", "-q", "-m", name)
        commits[name] = git("rev-parse", "HEAD")

    (work / "sub").mkdir(parents=True)
    (work / "sub" / "say.txt").write_text("sub\n")
    git("init", "-q", "-b", "main")
    commit("v1")
    git("tag", "-a", "v1", "-m", "v1")
    commit("main")
    git("checkout", "-q", "-b", "feature")
    commit("feature")
    git("checkout", "-q", "main")
    git("clone", "-q", "--bare", str(work), str(bare), cwd=folder)
    git("update-server-info", cwd=bare)
    return Repository(folder, commits)


class SmartHandler(BaseHTTPRequestHandler):
    """Answers with `git http-backend`; with `password`, only to USER with PASSWORD.

    `busy` has an entry for each request that is refused first.
    """

    def __init__(self, folder: Path, password: bool, busy: list[int], *args: object) -> None:
        self.folder, self.password, self.busy = folder, password, busy
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with what the program prints."""
        if self.busy:
            self.busy.pop()
            self.send_error(503)
            return
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.password and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="tests"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        answer = subprocess.run(
            [require_program("git"), "http-backend"],
            input=self.rfile.read(int(self.headers.get("Content-Length", 0))),
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
            capture_output=True,
            check=False,
        ).stdout
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().splitlines()]
        given = {name: value for name, _, value in lines}
        self.send_response(int(given.pop("Status", "200").split()[0]))
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that the base class calls

    def log_message(self, *args: object) -> None:
        """Print nothing."""


class FileHandler(SimpleHTTPRequestHandler):
    """Answers with files, as a plain web server does."""

    def log_message(self, *args: object) -> None:
        """Print nothing."""


@contextlib.contextmanager
def serve(
    folder: Path,
    host: str = "127.0.0.1",
    *,
    password: bool = False,
    smart: bool = True,
    busy: int = 0,
) -> Iterator[str]:
    """Serve the repositories of a folder over HTTP; yield the URL of `tests.git`.

    Args:
        folder: the folder.
        host: the address to listen on.
        password: whether USER and PASSWORD are required.
        smart: whether the server speaks git's protocol, or only serves files.
        busy: how many requests it refuses at first.
    """
    handler = (
        functools.partial(SmartHandler, folder, password, [0] * busy)
        if smart
        else functools.partial(FileHandler, directory=str(folder))
    )
    with ThreadingHTTPServer((host, 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{host}:{server.server_address[1]}/tests.git"
        server.shutdown()
