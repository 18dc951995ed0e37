"""The settings: the only reader of SPARKTEST_*, of the config file and of the session file.

The first that says something wins: a flag (`overrides`), the environment, the config file
(~/.config/sparktest/config.toml), the session file that `sparktest up` leaves while it runs,
the default.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sparktest.errors import InvalidError

LOG_LEVELS = ("debug", "info", "warning", "error")
ALIASES = {"database_url": "DATABASE_URL", "port": "PORT"}
IN_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of all rooms; docs/operating.md lists what each is for."""

    backend_url: str = "http://127.0.0.1:8080/api"
    token: str | None = None
    log_level: str = "info"
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    namespace: str = "default"
    namespaces: tuple[str, ...] = ()
    cluster: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    default_timeout_seconds: int = 3600
    job_ttl_seconds: int = 3600
    image_pull_patience_seconds: int = 90

    def __repr__(self) -> str:
        """Without the token and without the password of the database."""
        return f"Settings(backend_url={self.backend_url!r}, host={self.host!r}, port={self.port})"


def config_file(environ: Mapping[str, str]) -> Path:
    """Where the config file is, whether or not it exists."""
    home = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "sparktest" / "config.toml"


def data_folder(environ: Mapping[str, str]) -> Path:
    """Where the database and the session file are kept, whether or not it exists."""
    home = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "sparktest"


def session_file(environ: Mapping[str, str]) -> Path:
    """Where `sparktest up` writes its address and token (0600) while it runs."""
    return data_folder(environ) / "session.toml"


def load(
    environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """The settings as they hold now.

    Args:
        environ: the environment; None means the process's own.
        overrides: field → value; a None value counts as not given.

    Raises:
        InvalidError: a setting that is unknown or cannot be; the message names it and its source.
    """
    environ = os.environ if environ is None else environ
    config = _toml(config_file(environ))
    given = _from_file(config, config_file(environ))
    given.update(_from_environment(environ))
    given.update({key: value for key, value in (overrides or {}).items() if value is not None})
    session = _toml(session_file(environ))
    if "backend_url" not in given:
        # The token belongs to the address beside it and is never sent anywhere else.
        given = {key: session[key] for key in ("backend_url", "token") if key in session} | given
    given.setdefault("database_url", f"sqlite:///{data_folder(environ) / 'sparktest.db'}")
    given.setdefault("namespace", _own_namespace())
    if "backend_url" in given:
        given["backend_url"] = api_url(str(given["backend_url"]))
    return _checked(given)


def api_url(url: str) -> str:
    """The URL of the API: `/api` is appended unless the path already ends with it.

    Raises:
        InvalidError: no http(s) URL with a host.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidError(
            f"SPARKTEST_BACKEND_URL: {url!r} is no http:// or https:// URL; "
            "it looks like http://127.0.0.1:8080"
        )
    trimmed = url.rstrip("/")
    return trimmed if trimmed.endswith("/api") else f"{trimmed}/api"


def _own_namespace() -> str:
    try:
        return IN_POD_NAMESPACE.read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path}: {error}") from error
    except OSError as error:
        raise InvalidError(f"{path}: {error.strerror}") from error


def _from_file(config: dict[str, Any], path: Path) -> dict[str, Any]:
    known = Settings.__struct_fields__
    for key in config:
        if key not in known:
            raise InvalidError(
                f"{path}: no setting is called {key!r}; there are {', '.join(known)}"
            )
    return dict(config)


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for field in Settings.__struct_fields__:
        value = environ.get(f"SPARKTEST_{field.upper()}") or environ.get(ALIASES.get(field, ""))
        if value:
            given[field] = value
    token_file = environ.get("SPARKTEST_TOKEN_FILE")
    if token_file and "token" not in given:
        try:
            given["token"] = Path(token_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise InvalidError(f"SPARKTEST_TOKEN_FILE: {token_file}: {error.strerror}") from error
    if isinstance(given.get("namespaces"), str):
        names = given["namespaces"].split(",")
        given["namespaces"] = [name.strip() for name in names if name.strip()]
    return given


def _checked(given: dict[str, Any]) -> Settings:
    try:
        settings = msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidError(f"settings: {error}") from error
    for field, holds, rule in RULES:
        if not holds(getattr(settings, field)):
            raise InvalidError(f"SPARKTEST_{field.upper()}: must be {rule}")
    return settings


Rule = tuple[str, Callable[[Any], bool], str]
RULES: tuple[Rule, ...] = (
    ("log_level", lambda value: value in LOG_LEVELS, f"one of {', '.join(LOG_LEVELS)}"),
    ("port", lambda value: 0 <= value <= 65535, "a port, 0 to 65535"),
    ("default_timeout_seconds", lambda value: 1 <= value < 2**31, "1 to 2147483647 seconds"),
    ("job_ttl_seconds", lambda value: 0 <= value < 2**31, "0 to 2147483647 seconds"),
    ("image_pull_patience_seconds", lambda value: value >= 1, "at least 1 second"),
    ("token", lambda value: value is None or value.isascii(), "ASCII, as in an HTTP header"),
)
