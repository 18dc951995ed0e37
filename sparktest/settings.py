"""Settings: the only reader of SPARKTEST_*, of the config file and of the session file.

Precedence: a flag (`overrides`), the environment, the config file
(~/.config/sparktest/config.toml), the session file that `sparktest up` keeps while it runs,
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
    """The settings of all packages; docs/operating.md describes each."""

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
        """Omit everything that may hold a secret."""
        return f"Settings(backend_url={self.backend_url!r}, host={self.host!r}, port={self.port})"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The session file of `sparktest up`: its API, its cluster (uid) and how to reach it."""

    backend_url: str
    token: str | None = None
    cluster: str | None = None
    kubeconfig: str | None = None
    context: str | None = None


class Value(NamedTuple):
    """A value before it is converted, and its source: a flag, a variable, a file or the default."""

    value: Any
    source: str


def config_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the config file, whether or not it exists."""
    home = environ.get("XDG_CONFIG_HOME") or str(_home(environ) / ".config")
    return Path(home) / "sparktest" / "config.toml"


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the database and the session file, whether or not it exists."""
    home = environ.get("XDG_DATA_HOME") or str(_home(environ) / ".local" / "share")
    return Path(home) / "sparktest"


def session_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the file (0600) in which `sparktest up` keeps its address and token."""
    return data_folder(environ) / "session.toml"


def load(
    environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Load and validate the settings.

    Args:
        environ: the environment; None: that of the process.
        overrides: field → value; None counts as not given.

    Raises:
        InvalidError: a setting is unknown or invalid; the message names it and its source.
    """
    return load_with_sources(environ, overrides)[0]


def load_with_sources(
    environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> tuple[Settings, dict[str, str]]:
    """Load the settings, and tell the source of the value of each field.

    Raises:
        InvalidError: as `load`.
    """
    environ = os.environ if environ is None else environ
    config = config_file(environ)
    given = _from_file(_read_toml(config), config)
    given |= _from_environment(environ)
    given |= {
        field: Value(value, f"--{field.replace('_', '-')}")
        for field, value in (overrides or {}).items()
        if value is not None
    }
    given = _from_session(environ, given) | given
    given.setdefault(
        "database_url", Value(f"sqlite:///{data_folder(environ)}/sparktest.db", DEFAULT)
    )
    given.setdefault("namespace", _pod_namespace())
    settings = _validate(given)
    sources = {field: given[field].source if field in given else DEFAULT for field in FIELDS}
    return settings, sources


def load_session(environ: Mapping[str, str] | None = None) -> Session | None:
    """Return the session of a running `sparktest up`, None when none runs.

    Raises:
        InvalidError: the file cannot be read, or holds something else.
    """
    path = session_file(os.environ if environ is None else environ)
    values = _read_toml(path)
    try:
        return msgspec.convert(values, Session) if values else None
    except msgspec.ValidationError as error:
        raise InvalidError(f"{path}: {error}") from error


def api_url(url: str) -> str:
    """Return the URL of the API: append `/api` unless the path ends with it.

    Raises:
        InvalidError: not an http(s) URL with a host, or more than host, port and path.
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
            f"{shown} is not an http:// or https:// URL such as http://127.0.0.1:8080"
        )
    # Anywhere: a password with a slash in it looks like a path.
    if "@" in url or parts.query or parts.fragment:
        raise InvalidError(
            "must have only scheme, host, port and path; a token belongs in SPARKTEST_TOKEN"
        )
    trimmed = url.rstrip("/")
    return trimmed if trimmed.endswith("/api") else f"{trimmed}/api"


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError:
        # A user without an entry in passwd, as in a container with a random uid.
        return Path("/")


def _pod_namespace() -> Value:
    try:
        name = IN_POD_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return Value("default", DEFAULT)
    return Value(name or "default", str(IN_POD_NAMESPACE))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path}: {error}") from error
    except OSError as error:
        raise InvalidError(f"{path}: {error.strerror}") from error


def _from_file(config: dict[str, Any], path: Path) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for key, value in config.items():
        field = RENAMED.get(key, key)
        if field not in FIELDS:
            raise InvalidError(
                f"{path}: there is no setting {key!r}; the settings are {', '.join(FIELDS)}"
            )
        if field == key or field not in config:
            given[field] = Value(value, f"{path}: {key}")
    return given


def _from_environment(environ: Mapping[str, str]) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for field in FIELDS:
        for name in (f"SPARKTEST_{field.upper()}", ALIASES.get(field, "")):
            value = environ.get(name, "").strip()
            # Kubernetes sets SPARKTEST_PORT=tcp://… in pods when a Service is called sparktest.
            if value and not (field == "port" and value.startswith("tcp://")):
                given.setdefault(field, Value(value, name))
    if environ.get(TOKEN_FILE) and "token" not in given:
        given["token"] = Value(_read_token(Path(environ[TOKEN_FILE])), TOKEN_FILE)
    if "namespaces" in given:
        names, source = given["namespaces"]
        given["namespaces"] = Value([name for name in re.split(r"\s*,\s*", names) if name], source)
    return given


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise InvalidError(f"{TOKEN_FILE}: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidError(f"{TOKEN_FILE}: {path}: is not ASCII text") from error


def _from_session(environ: Mapping[str, str], given: Mapping[str, Value]) -> dict[str, Value]:
    """Read address and token of a running `sparktest up`, unless an address is given.

    The token is only ever sent to the address beside it.
    """
    session = None if "backend_url" in given else load_session(environ)
    found = {"backend_url": session.backend_url, "token": session.token} if session else {}
    path = str(session_file(environ))
    return {field: Value(value, path) for field, value in found.items() if value}


def _validate(given: Mapping[str, Value]) -> Settings:
    values: dict[str, Any] = {}
    for field, (value, source) in given.items():
        if field not in FIELDS:
            raise InvalidError(f"{source}: there is no setting {field!r}")
        values[field] = _convert(field, value, source)
    return Settings(**values)


def _convert(field: str, value: Any, source: str) -> Any:
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
    """A constraint of a setting beyond its type, and its text in messages."""

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
        "printable ASCII without spaces, as in an HTTP header",
    ),
}
