"""The settings of all packages, and their only source; nothing else reads SPARKTEST_* variables.

Precedence: a flag (`overrides`), the environment, the config file
(~/.config/sparktest/config.toml), the session file of a running `sparktest up`, the default.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints
from urllib.parse import urlsplit

import msgspec

from sparktest.errors import InvalidError
from sparktest.user_files import config_path, data_folder, load_session, read_toml, session_path

MAX_WORKERS = 16
LOG_LEVELS = ("debug", "info", "warning", "error")
RESTRICTED = "restricted"
POD_SECURITY = ("baseline", RESTRICTED)
LEADER_ELECTION = ("auto", "on", "off")
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
MAX_DAYS = 36_500
# Has git, ssh and a shell.
GIT_IMAGE = "alpine/git:v2.52.0"
IN_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# Of allowed_hosts: a proxy in front of the API checks the Host.
ANY_HOST = "*"
HOST = re.compile(r"\*|[A-Za-z0-9_]([-A-Za-z0-9_.]{0,252})")
ORIGIN = re.compile(r"https?://[a-z0-9_][-a-z0-9_.]*(:[0-9]{1,5})?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings; docs/operating.md describes each."""

    backend_url: str = "http://127.0.0.1:8080/api"
    token: str | None = None
    log_level: str = "info"
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    api_workers: int | None = None
    namespace: str = "default"
    run_namespaces: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    cluster: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    default_timeout_seconds: int = 3600
    job_ttl_seconds: int = 3600
    image_pull_timeout_seconds: int = 90
    pod_security: str = "baseline"
    git_image: str = GIT_IMAGE
    log_max_bytes: int = 64 * 1024**2
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    token_requests_per_minute: int = 6000
    retention_days: int | None = None
    retention_runs: int | None = None
    leader_election: str = "auto"
    leader_election_namespace: str | None = None
    controller_metrics_bind: str = ""

    def __repr__(self) -> str:
        """Return a text without the fields that may hold a secret."""
        return f"Settings(backend_url={self.backend_url!r}, host={self.host!r}, port={self.port})"


class Value(NamedTuple):
    """A value before conversion, and its source: a flag, a variable, a file or `DEFAULT`."""

    value: Any
    source: str


def load(
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    session: bool = True,
) -> Settings:
    """Load and validate the settings.

    Args:
        environ: the environment variables; default: those of the process.
        overrides: the values of flags by field; None where a flag is not given.
        session: use address and token of a running `sparktest up`. False for a program that is no
            client of it.

    Raises:
        InvalidError: a setting is invalid, or unknown in the config file; the message names it.
    """
    return load_with_sources(environ, overrides, session=session)[0]


def load_with_sources(
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    session: bool = True,
) -> tuple[Settings, dict[str, str]]:
    """Load the settings as `load`, and return them with the source of each field's value.

    Raises:
        InvalidError: as `load`.
    """
    environ = os.environ if environ is None else environ
    path = config_path(environ)
    given = _from_file(read_toml(path), path)
    given |= _from_environment(environ)
    given |= {
        field: Value(value, f"--{field.replace('_', '-')}")
        for field, value in (overrides or {}).items()
        if value is not None
    }
    if session:
        given = _from_session(environ, given) | given
    given.setdefault(
        "database_url", Value(f"sqlite:///{data_folder(environ)}/sparktest.db", DEFAULT)
    )
    if namespace := in_pod_namespace():
        given.setdefault("namespace", Value(namespace, str(IN_POD_NAMESPACE)))
    values = {field: _convert(field, value, source) for field, (value, source) in given.items()}
    sources = {field: given[field].source if field in given else DEFAULT for field in FIELDS}
    return Settings(**values), sources


def api_url(url: str) -> str:
    """Return the URL of the API: append `/api` unless the path ends with it.

    Raises:
        InvalidError: it is not an http(s) URL, or has more than host, port and path.
    """
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        plain = False
    if not plain:
        # Not quoted, as it may hold a password.
        shown = "this" if "@" in url else repr(url)
        raise InvalidError(
            f"{shown} is not an http:// or https:// URL such as http://127.0.0.1:8080"
        )
    # Search the whole URL: a password that holds a slash looks like a path.
    if "@" in url or parts.query or parts.fragment:
        raise InvalidError(
            "must have only scheme, host, port and path; a token belongs in SPARKTEST_TOKEN"
        )
    trimmed = url.rstrip("/")
    return trimmed if trimmed.endswith("/api") else f"{trimmed}/api"


def in_pod_namespace() -> str | None:
    """Return the namespace of the pod in which this process runs; None outside of a pod."""
    try:
        return IN_POD_NAMESPACE.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


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
    for field in LISTS & set(given):
        texts, source = given[field]
        given[field] = Value([text for text in re.split(r"\s*,\s*", texts) if text], source)
    return given


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise InvalidError(f"{TOKEN_FILE}: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidError(f"{TOKEN_FILE}: {path}: not ASCII text") from error


def _from_session(environ: Mapping[str, str], given: Mapping[str, Value]) -> dict[str, Value]:
    """Return address and token of a running `sparktest up`, unless an address is given.

    Its token is sent to no other address.
    """
    session = None if "backend_url" in given else load_session(environ)
    found = {"backend_url": session.backend_url, "token": session.token} if session else {}
    path = str(session_path(environ))
    return {field: Value(value, path) for field, value in found.items() if value}


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
LISTS = {field for field, kind in FIELDS.items() if kind == tuple[str, ...]}
RULES = {
    "log_level": Rule(lambda value: value in LOG_LEVELS, f"one of {', '.join(LOG_LEVELS)}"),
    "port": Rule(lambda value: 0 <= value <= 65535, "a port, 0 to 65535"),
    "api_workers": Rule(
        lambda value: value is None or 1 <= value <= MAX_WORKERS, f"a number, 1 to {MAX_WORKERS}"
    ),
    "namespace": Rule(NAMESPACE.fullmatch, "the name of a namespace"),
    "run_namespaces": Rule(
        lambda names: all(map(NAMESPACE.fullmatch, names)), "names of namespaces"
    ),
    "namespaces": Rule(lambda names: all(map(NAMESPACE.fullmatch, names)), "names of namespaces"),
    "leader_election": Rule(
        lambda value: value in LEADER_ELECTION, f"one of {', '.join(LEADER_ELECTION)}"
    ),
    "leader_election_namespace": Rule(
        lambda name: name is None or NAMESPACE.fullmatch(name), "the name of a namespace"
    ),
    "controller_metrics_bind": Rule(
        re.compile(r"|off|[^:]*:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}").fullmatch,
        "off, or an address such as 127.0.0.1:8081, [::1]:8081 or :8081",
    ),
    "default_timeout_seconds": _seconds(1),
    "job_ttl_seconds": _seconds(0),
    "image_pull_timeout_seconds": _seconds(1),
    "pod_security": Rule(lambda value: value in POD_SECURITY, f"one of {', '.join(POD_SECURITY)}"),
    "retention_days": Rule(
        lambda days: days is None or 0 < days <= MAX_DAYS, f"1 to {MAX_DAYS} days"
    ),
    "retention_runs": Rule(
        lambda runs: runs is None or 0 < runs < 2**40, "a number of runs, from 1"
    ),
    "log_max_bytes": Rule(lambda value: 0 < value < 2**40, "1 to 1099511627775 bytes"),
    "allowed_hosts": Rule(
        lambda names: all(map(HOST.fullmatch, names)), "names of hosts without a port, or *"
    ),
    "cors_origins": Rule(
        lambda origins: all(map(ORIGIN.fullmatch, origins)),
        "origins in lower case such as https://ci.example.org",
    ),
    "token_requests_per_minute": Rule(lambda value: 0 <= value < 2**31, "0 (no limit) or more"),
    "git_image": Rule(re.compile(r"\S+").fullmatch, "the name of an image"),
    "token": Rule(
        lambda value: value is None or re.fullmatch(r"[!-~]+", value),
        "printable ASCII without spaces, as in an HTTP header",
    ),
}
