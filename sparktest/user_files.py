"""The user's files: the config file, and the data folder with the session file of `sparktest up`.

The folders follow the XDG variables, else they are in the home folder.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from sparktest.errors import InvalidError


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The session file of `sparktest up`: its API, its cluster (uid) and how to reach it."""

    backend_url: str
    token: str | None = None
    cluster: str | None = None
    kubeconfig: str | None = None
    context: str | None = None


def config_path(environ: Mapping[str, str]) -> Path:
    """Return the path of the config file, which need not exist."""
    home = environ.get("XDG_CONFIG_HOME") or str(_home(environ) / ".config")
    return Path(home) / "sparktest" / "config.toml"


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the database, the logs and the session file; it need not exist."""
    home = environ.get("XDG_DATA_HOME") or str(_home(environ) / ".local" / "share")
    return Path(home) / "sparktest"


def session_path(environ: Mapping[str, str]) -> Path:
    """Return the path of the session file, which exists (mode 0600) while `sparktest up` runs."""
    return data_folder(environ) / "session.toml"


def load_session(environ: Mapping[str, str] | None = None) -> Session | None:
    """Return the session of a running `sparktest up`; None when none runs.

    Raises:
        InvalidError: the file cannot be read, or is not a session.
    """
    path = session_path(os.environ if environ is None else environ)
    values = read_toml(path)
    try:
        return msgspec.convert(values, Session) if values else None
    except msgspec.ValidationError as error:
        raise InvalidError(f"{path}: {error}") from error


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


def read_toml(path: Path) -> dict[str, Any]:
    """Return the contents of a TOML file; empty when it does not exist.

    Raises:
        InvalidError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path}: {error}") from error
    except OSError as error:
        raise InvalidError(f"{path}: {error.strerror}") from error


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError:
        # The user has no entry in passwd, as in a container with a random uid.
        return Path("/")
