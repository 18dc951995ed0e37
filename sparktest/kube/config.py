"""The Kubernetes configuration: a kubeconfig, or the ServiceAccount of the pod."""

import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

from sparktest.errors import ForbiddenError, InvalidError
from sparktest.kube.fields import Object, items
from sparktest.settings import DEVCLUSTER_CONTEXT, Settings, in_pod_namespace

HELP = (
    "give --kubeconfig FILE or set KUBECONFIG, put a kubeconfig at ~/.kube/config, "
    "or run inside a pod with a ServiceAccount"
)
# Raised by the official loader for a malformed kubeconfig. Never show their messages: they may
# quote a whole user entry with its token.
MALFORMED = (ConfigException, ValueError, TypeError, KeyError, AttributeError)


class NoConfigurationError(InvalidError):
    """Error for a missing configuration: none was given, and the default places have none."""


def load(settings: Settings) -> Configuration:
    """Return the configuration for the official client.

    It comes from the first of these: `settings.kubeconfig`, the files of KUBECONFIG,
    ~/.kube/config, the ServiceAccount of the pod.

    Raises:
        InvalidError: there is none, or it cannot be used; the message says why and what to do.
    """
    files = _kubeconfigs(settings)
    configuration = Configuration()
    if files:
        _from_kubeconfig(configuration, files, settings.context)
    elif os.environ.get("KUBERNETES_SERVICE_HOST") and not settings.context:
        _from_pod(configuration)
    else:
        raise NoConfigurationError(f"no Kubernetes configuration found: {HELP}")
    # Once assigned, the proxy is not read from the environment at every request.
    configuration.proxy = configuration.proxy
    configuration.retries = False
    configuration.keep_alive = True
    return configuration


def require_devcluster_token(settings: Settings) -> None:
    """Require a token for a dev cluster: its Jobs are processes of the user who runs it.

    Raises:
        ForbiddenError: there is no token, and the kubeconfig is that of a dev cluster.
    """
    if settings.token:
        return
    try:
        with _read(_kubeconfigs(settings)) as documents:
            context, _ = _select(documents, settings.context)
    except InvalidError:
        return  # `load` raises it again
    if context == DEVCLUSTER_CONTEXT:
        raise ForbiddenError(
            "Jobs of the dev cluster run as processes of this machine, and without a token "
            "every user of it could start some: set SPARKTEST_TOKEN, or use sparktest up"
        )


def namespace(settings: Settings) -> str:
    """Return the namespace that kubectl would use: of the context, of the pod, or `default`.

    Raises:
        InvalidError: as `load`.
    """
    files = _kubeconfigs(settings)
    if not files:
        return in_pod_namespace() or "default"
    with _read(files) as documents:
        _, context = _context(documents, settings.context)
    return str(context.get("namespace") or "default")


def selected(settings: Settings) -> tuple[str | None, str | None]:
    """Return the absolute path of the kubeconfig and the context that `load` would use.

    Both are None inside a pod. Several files are returned as they are in the settings.

    Raises:
        InvalidError: as `load`.
    """
    files = _kubeconfigs(settings)
    if not files:
        return settings.kubeconfig, settings.context
    with _read(files) as documents:
        context, _ = _context(documents, settings.context)
    kubeconfig = str(files[0].absolute()) if len(files) == 1 else settings.kubeconfig
    return kubeconfig, context


def contexts(settings: Settings) -> list[str]:
    """Return the names of the contexts in the kubeconfig; empty without a kubeconfig.

    Raises:
        InvalidError: as `load`.
    """
    with _read(_kubeconfigs(settings)) as documents:
        return list(_entries(documents, "contexts", "context"))


@contextmanager
def _read(files: list[Path]) -> Iterator[list[Object]]:
    """Yield the documents of kubeconfigs; add the names of the files to an InvalidError."""
    try:
        yield [_document(path) for path in files]
    except InvalidError as error:
        raise InvalidError(f"{os.pathsep.join(map(str, files))}: {error.detail}") from None


def _kubeconfigs(settings: Settings) -> list[Path]:
    if settings.kubeconfig:
        return _existing(settings.kubeconfig, "kubeconfig")
    if paths := os.environ.get("KUBECONFIG"):
        return _existing(paths, "KUBECONFIG")
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
    with _read(files) as documents:
        name, cluster = _select(documents, context)
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


def _select(documents: list[Object], context: str | None) -> tuple[str, Object]:
    """Return the context's name and its cluster entry; None selects the current context."""
    name, entry = _context(documents, context)
    cluster = _entries(documents, "clusters", "cluster").get(str(entry.get("cluster")))
    if cluster is None:
        raise InvalidError(f"context {name!r} names no cluster of the file")
    server = str(cluster.get("server"))
    if not server.startswith(("http://", "https://")) or not _host(server):
        raise InvalidError(f"the server of context {name!r} is not an http(s):// URL")
    return name, cluster


def _context(documents: list[Object], context: str | None) -> tuple[str, Object]:
    """Return the context's name and its entry; None selects the current context."""
    known = _entries(documents, "contexts", "context")
    # As in kubectl, the first file with a current context counts.
    current = (str(found) for doc in documents if (found := doc.get("current-context")))
    name = context or next(current, None)
    choose = f"choose one with --context: {', '.join(known) or 'the file has none'}"
    if not name:
        raise InvalidError(f"no current context; {choose}")
    if name not in known:
        raise InvalidError(f"no context is called {name!r}; {choose}")
    return name, known[name]


def _document(path: Path) -> Object:
    try:
        document = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise InvalidError(f"cannot be read: {error.strerror}") from error
    except yaml.YAMLError:
        # Not chained: the error's message quotes the file.
        raise InvalidError("is not YAML") from None
    if not isinstance(document, dict):
        raise InvalidError("is empty or not a kubeconfig")
    return document


def _entries(documents: list[Object], plural: str, kind: str) -> dict[str, Object]:
    """Return the entries by name; of several with the same name, the first counts."""
    found: dict[str, Object] = {}
    for document in documents:
        for entry in items(document, plural):
            if isinstance(entry.get(kind), dict):
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
