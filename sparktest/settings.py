"""The settings: the only reader of SPARKTEST_*, of the config file and of the session file.

The first that says something wins: a flag (`overrides`), the environment, the config file
(~/.config/sparktest/config.toml), the session file that `sparktest up` leaves while it runs,
the default.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints
from urllib.parse import urlsplit

import msgspec

from sparktest.errors import InvalidError

LOG_LEVELS = ("debug", "info", "warning", "error")
ALIASES = {
    "database_url": "DATABASE_URL",
    "port": "PORT",
    "image_pull_timeout_seconds": "SPARKTEST_IMAGE_PULL_PATIENCE_SECONDS",
}
# Keys of the config file that were renamed.
RENAMED = {"image_pull_patience_seconds": "image_pull_timeout_seconds"}
TOKEN_FILE = "SPARKTEST_TOKEN_FILE"  # noqa: S105 - the name of a variable
DEFAULT = "default"
# The context of a dev cluster in its kubeconfig.
DEVCLUSTER_CONTEXT = "sparktest-devcluster"
IN_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


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
    image_pull_timeout_seconds: int = 90

    def __repr__(self) -> str:
        """Without the token and without the password of the database."""
        return f"Settings(backend_url={self.backend_url!r}, host={self.host!r}, port={self.port})"


class Given(NamedTuple):
    """A value as somebody gave it, and who did: a flag, a variable, a file or the default."""

    value: Any
    source: str


def config_file(environ: Mapping[str, str]) -> Path:
    """Where the config file is, whether or not it exists."""
    home = environ.get("XDG_CONFIG_HOME") or str(_home(environ) / ".config")
    return Path(home) / "sparktest" / "config.toml"


def data_folder(environ: Mapping[str, str]) -> Path:
    """Where the database and the session file are kept, whether or not it exists."""
    home = environ.get("XDG_DATA_HOME") or str(_home(environ) / ".local" / "share")
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
    return explain(environ, overrides)[0]


def explain(
    environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> tuple[Settings, dict[str, str]]:
    """The settings as they hold now, and for each field where its value comes from.

    Raises:
        InvalidError: as `load`.
    """
    environ = os.environ if environ is None else environ
    config = config_file(environ)
    given = _from_file(_toml(config), config)
    given |= _from_environment(environ)
    given |= {
        field: Given(value, f"--{field.replace('_', '-')}")
        for field, value in (overrides or {}).items()
        if value is not None
    }
    given = _from_session(environ, given) | given
    given.setdefault(
        "database_url", Given(f"sqlite:///{data_folder(environ)}/sparktest.db", DEFAULT)
    )
    given.setdefault("namespace", _own_namespace())
    settings = _checked(given)
    sources = {field: given[field].source if field in given else DEFAULT for field in FIELDS}
    return settings, sources


def api_url(url: str) -> str:
    """The URL of the API: `/api` is appended unless the path already ends with it.

    Raises:
        InvalidError: no http(s) URL with a host, or one with more than host, port and path.
    """
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        plain = False
    if not plain:
        # Not quoted where it may hold a password.
        shown = "this" if "@" in url else repr(url)
        raise InvalidError(
            f"{shown} is no http:// or https:// URL; it looks like http://127.0.0.1:8080"
        )
    # Anywhere: a password with a slash in it looks like a path.
    if "@" in url or parts.query or parts.fragment:
        raise InvalidError(
            "must be scheme, host, port and path only; a token belongs into SPARKTEST_TOKEN"
        )
    trimmed = url.rstrip("/")
    return trimmed if trimmed.endswith("/api") else f"{trimmed}/api"


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError:
        # A user without an entry in passwd, as in a container with a random uid.
        return Path("/")


def _own_namespace() -> Given:
    try:
        name = IN_POD_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return Given("default", DEFAULT)
    return Given(name or "default", str(IN_POD_NAMESPACE))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path}: {error}") from error
    except OSError as error:
        raise InvalidError(f"{path}: {error.strerror}") from error


def _from_file(config: dict[str, Any], path: Path) -> dict[str, Given]:
    given: dict[str, Given] = {}
    for key, value in config.items():
        field = RENAMED.get(key, key)
        if field not in FIELDS:
            raise InvalidError(
                f"{path}: no setting is called {key!r}; there are {', '.join(FIELDS)}"
            )
        if field == key or field not in config:
            given[field] = Given(value, f"{path}: {key}")
    return given


def _from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    given: dict[str, Given] = {}
    for field in FIELDS:
        for name in (f"SPARKTEST_{field.upper()}", ALIASES.get(field, "")):
            value = environ.get(name, "").strip()
            # Kubernetes gives pods SPARKTEST_PORT=tcp://… for a Service that is called sparktest.
            if value and not (field == "port" and value.startswith("tcp://")):
                given.setdefault(field, Given(value, name))
    if environ.get(TOKEN_FILE) and "token" not in given:
        given["token"] = Given(_token_of(Path(environ[TOKEN_FILE])), TOKEN_FILE)
    if "namespaces" in given:
        names, source = given["namespaces"]
        given["namespaces"] = Given(
            [name.strip() for name in names.split(",") if name.strip()], source
        )
    return given


def _token_of(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise InvalidError(f"{TOKEN_FILE}: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidError(f"{TOKEN_FILE}: {path}: is no text in ASCII") from error


def _from_session(environ: Mapping[str, str], given: Mapping[str, Given]) -> dict[str, Given]:
    """The address and token of a running `sparktest up`, where no address is given.

    The token belongs to the address beside it and is never sent anywhere else.
    """
    if "backend_url" in given:
        return {}
    path = session_file(environ)
    session = _toml(path)
    return {
        key: Given(session[key], str(path)) for key in ("backend_url", "token") if key in session
    }


def _checked(given: Mapping[str, Given]) -> Settings:
    values: dict[str, Any] = {}
    for field, (value, source) in given.items():
        if field not in FIELDS:
            raise InvalidError(f"{source}: no setting is called {field!r}")
        values[field] = _value(field, value, source)
    return Settings(**values)


def _value(field: str, value: Any, source: str) -> Any:
    rule = RULES.get(field)
    try:
        converted = msgspec.convert(value, FIELDS[field], strict=False)
    except msgspec.ValidationError as error:
        raise InvalidError(f"{source}: {f'must be {rule.text}' if rule else error}") from error
    if rule and not rule.holds(converted):
        raise InvalidError(f"{source}: must be {rule.text}")
    if field != "backend_url":
        return converted
    try:
        return api_url(converted)
    except InvalidError as error:
        raise InvalidError(f"{source}: {error.detail}") from error


class Rule(NamedTuple):
    """What holds of a setting beside its type, and how to say it."""

    holds: Callable[[Any], object]
    text: str


def _seconds(least: int) -> Rule:
    return Rule(lambda value: least <= value < 2**31, f"{least} to 2147483647 seconds")


FIELDS = get_type_hints(Settings)
RULES = {
    "log_level": Rule(lambda value: value in LOG_LEVELS, f"one of {', '.join(LOG_LEVELS)}"),
    "port": Rule(lambda value: 0 <= value <= 65535, "a port, 0 to 65535"),
    "namespace": Rule(NAMESPACE.fullmatch, "the name of a namespace"),
    "namespaces": Rule(lambda names: all(map(NAMESPACE.fullmatch, names)), "names of namespaces"),
    "default_timeout_seconds": _seconds(1),
    "job_ttl_seconds": _seconds(0),
    "image_pull_timeout_seconds": _seconds(1),
    "token": Rule(
        lambda value: value is None or re.fullmatch(r"[!-~]+", value),
        "printable ASCII without blanks, as in an HTTP header",
    ),
}
