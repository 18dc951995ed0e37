"""The Kubernetes configuration: a kubeconfig, or the ServiceAccount of the pod."""

import ipaddress
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

from sparktest.errors import ForbiddenError, InvalidError
from sparktest.settings import DEVCLUSTER_CONTEXT, Settings, in_pod_namespace

HELP = (
    "give --kubeconfig FILE or set KUBECONFIG, put a kubeconfig at ~/.kube/config, "
    "or run inside a pod with a ServiceAccount"
)
# Raised by the official loader for a malformed kubeconfig. Their messages may quote a whole user
# entry with its token, so they are never shown.
MALFORMED = (ConfigException, ValueError, TypeError, KeyError, AttributeError)


class NoConfigurationError(InvalidError):
    """No configuration was given, and there is none in the default places."""


def load(settings: Settings, environ: Mapping[str, str] | None = None) -> Configuration:
    """Read the configuration and return it for the official client.

    The first of these counts: `settings.kubeconfig`, the files of KUBECONFIG, ~/.kube/config, the
    ServiceAccount of the pod.

    Raises:
        InvalidError: there is none, or it cannot be used; the message says why and what to do.
    """
    environ = os.environ if environ is None else environ
    files = _kubeconfigs(settings, environ)
    configuration = Configuration()
    if files:
        _from_kubeconfig(configuration, files, settings.context)
    elif environ.get("KUBERNETES_SERVICE_HOST") and not settings.context:
        _from_pod(configuration)
    else:
        raise NoConfigurationError(f"no Kubernetes configuration found: {HELP}")
    # Assigning the proxy also keeps the client from reading the environment at every request.
    configuration.proxy = configuration.proxy
    configuration.retries = False
    configuration.keep_alive = True
    return configuration


def require_devcluster_token(settings: Settings, environ: Mapping[str, str] | None = None) -> None:
    """Require a token for a dev cluster: its Jobs are processes of the user who runs it.

    Raises:
        ForbiddenError: there is no token, and the kubeconfig is that of a dev cluster.
    """
    if settings.token:
        return
    try:
        files = _kubeconfigs(settings, os.environ if environ is None else environ)
        context, _ = _select([_document(path) for path in files], settings.context)
    except InvalidError:
        # Reported by whoever loads the configuration.
        return
    if context == DEVCLUSTER_CONTEXT:
        raise ForbiddenError(
            "Jobs of the dev cluster run as processes of this machine, and without a token "
            "every user of it could start some: set SPARKTEST_TOKEN, or use sparktest up"
        )


def namespace(settings: Settings, environ: Mapping[str, str] | None = None) -> str:
    """Return the namespace that kubectl would use: of the context, of the pod, or `default`.

    Raises:
        InvalidError: as `load`.
    """
    files = _kubeconfigs(settings, os.environ if environ is None else environ)
    if not files:
        return in_pod_namespace() or "default"
    with _name_files(files):
        _, context = _context([_document(path) for path in files], settings.context)
    return str(context.get("namespace") or "default")


def selected(
    settings: Settings, environ: Mapping[str, str] | None = None
) -> tuple[str | None, str | None]:
    """Return the kubeconfig, as an absolute path, and the context that `load` uses now.

    Both are None inside a pod; the kubeconfig is the one given where it is a list of files.

    Raises:
        InvalidError: as `load`.
    """
    files = _kubeconfigs(settings, os.environ if environ is None else environ)
    if not files:
        return settings.kubeconfig, settings.context
    with _name_files(files):
        context, _ = _context([_document(path) for path in files], settings.context)
    kubeconfig = str(files[0].absolute()) if len(files) == 1 else settings.kubeconfig
    return kubeconfig, context


def contexts(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the names of the contexts of the kubeconfig; empty without one.

    Raises:
        InvalidError: as `load`.
    """
    files = _kubeconfigs(settings, os.environ if environ is None else environ)
    with _name_files(files):
        return list(_entries([_document(path) for path in files], "contexts", "context"))


@contextmanager
def _name_files(files: list[Path]) -> Iterator[None]:
    """Add the names of the files to an InvalidError."""
    try:
        yield
    except InvalidError as error:
        raise InvalidError(f"{os.pathsep.join(map(str, files))}: {error.detail}") from None


def _kubeconfigs(settings: Settings, environ: Mapping[str, str]) -> list[Path]:
    if settings.kubeconfig:
        return _existing(settings.kubeconfig, "kubeconfig")
    if environ.get("KUBECONFIG"):
        return _existing(environ["KUBECONFIG"], "KUBECONFIG")
    default = Path("~/.kube/config").expanduser()
    return [default] if default.is_file() else []


def _existing(paths: str, source: str) -> list[Path]:
    files = [Path(path).expanduser() for path in paths.split(os.pathsep) if path]
    found = [path for path in files if path.is_file()]
    if not found:
        raise InvalidError(f"{source}: there is no file {paths}; {HELP}")
    return found


def _from_kubeconfig(configuration: Configuration, files: list[Path], context: str | None) -> None:
    named = os.pathsep.join(map(str, files))
    with _name_files(files):
        name, cluster = _select([_document(path) for path in files], context)
    try:
        load_kube_config(config_file=named, context=name, client_configuration=configuration)
    except MALFORMED as error:
        raise InvalidError(
            f"{named}: context {name!r} cannot be used, its cluster or user entry is malformed "
            f"({type(error).__name__}); check it with: kubectl config view --context {name}"
        ) from None
    except OSError as error:
        raise InvalidError(f"{named}: context {name!r}: {error}") from error
    if "proxy-url" not in cluster and _loopback(configuration.host):
        # kubectl never sends a loopback address to the proxy of the environment.
        configuration.proxy = None


def _select(documents: list[dict[str, Any]], context: str | None) -> tuple[str, dict[str, Any]]:
    """Return the context's name and its cluster entry."""
    name, entry = _context(documents, context)
    cluster = _entries(documents, "clusters", "cluster").get(str(entry.get("cluster")))
    if cluster is None:
        raise InvalidError(f"context {name!r} names no cluster that is in the file")
    server = str(cluster.get("server"))
    if not server.startswith(("http://", "https://")) or not _host(server):
        raise InvalidError(f"the cluster of context {name!r} has no http(s):// address as server")
    return name, cluster


def _context(documents: list[dict[str, Any]], context: str | None) -> tuple[str, dict[str, Any]]:
    """Return the context's name and its entry; those of the current context for None."""
    known = _entries(documents, "contexts", "context")
    # As kubectl does: the first file with a current context counts.
    current = (str(found) for doc in documents if (found := doc.get("current-context")))
    name = context or next(current, None)
    choose = f"choose one with --context: {', '.join(known) or 'there is none'}"
    if not name:
        raise InvalidError(f"no current context; {choose}")
    if name not in known:
        raise InvalidError(f"no context is called {name!r}; {choose}")
    return name, known[name]


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise InvalidError(f"cannot be read: {error.strerror}") from error
    except yaml.YAMLError:
        # Not chained: the message of the error quotes the file.
        raise InvalidError("is not YAML") from None
    if not isinstance(document, dict):
        raise InvalidError("is empty or no kubeconfig")
    return document


def _entries(documents: list[dict[str, Any]], plural: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return the entries by name; the first one of a name counts."""
    found: dict[str, dict[str, Any]] = {}
    for document in documents:
        entries = document.get(plural)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and isinstance(entry.get(kind), dict):
                found.setdefault(str(entry.get("name")), entry[kind])
    return found


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _loopback(url: str) -> bool:
    try:
        return ipaddress.ip_address(_host(url)).is_loopback
    except ValueError:
        return _host(url) == "localhost"


def _from_pod(configuration: Configuration) -> None:
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        raise InvalidError(
            f"the ServiceAccount of this pod cannot be used: {error}; set "
            "automountServiceAccountToken: true, or give a kubeconfig"
        ) from error
