"""Check Host and Origin: refuse requests that a foreign web site makes a browser send."""

import functools
import ipaddress
import socket
from urllib.parse import urlsplit

from flask import request

from sparktest.api import cors
from sparktest.api.context import app_context
from sparktest.errors import ForbiddenError
from sparktest.settings import ANY_HOST, Settings

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CLUSTER_DOMAINS = (".svc", ".svc.cluster.local")
MAX_SHOWN = 100


def check_host() -> None:
    """Refuse a request that was sent to a name that is not one of this API.

    DNS rebinding: evil.example can resolve to the address of this API, but its page cannot change
    the Host that the browser sends.

    Raises:
        ForbiddenError: without a token, the Host is not localhost; with one, see `is_served`.
    """
    settings = app_context().settings
    host, loopback = _parse(request.host)
    if loopback:
        return
    if not settings.token:
        raise ForbiddenError(
            "without a token this API answers only as localhost; "
            "set SPARKTEST_TOKEN on both sides to use another name"
        )
    if not is_served(host, settings):
        raise ForbiddenError(
            f"this API is not served as {host[:MAX_SHOWN]!r}; if that is a name of it, add it to "
            "SPARKTEST_ALLOWED_HOSTS of the API"
        )


def check_origin() -> None:
    """Refuse a write that the page of another web site sends.

    Raises:
        ForbiddenError: it is one, and its origin is not in SPARKTEST_CORS_ORIGINS.
    """
    if request.method in READ_METHODS or cors.is_allowed(request):
        return
    origin = request.headers.get("Origin")
    host = request.host.lower()
    # Only a proxy in front of the API knows which scheme the client used.
    foreign = origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}")
    if foreign or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise ForbiddenError("cross-site requests that change something are refused")


def is_served(host: str, settings: Settings) -> bool:
    """Return True for a name that this API has, or that no foreign web site can have.

    These are addresses, names without a dot, names of Services in a cluster, the name of this
    machine, and those of the settings.
    """
    allowed = {name.lower() for name in settings.allowed_hosts}
    if host in allowed or ANY_HOST in allowed or _is_address(host):
        return True
    own = (settings.host.lower(), socket.gethostname().lower())
    return bool(host) and ("." not in host or host in own or host.endswith(CLUSTER_DOMAINS))


def is_loopback(host: str) -> bool:
    """Return True when this name or address can only mean the local machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


# A client sends the same one with every request.
@functools.lru_cache(maxsize=256)
def _parse(host: str) -> tuple[str, bool]:
    """Return a Host in lower case and without port and final dot, and whether it is loopback."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        name = ""
    return name, is_loopback(name)
