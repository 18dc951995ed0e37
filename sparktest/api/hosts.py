"""Check Host and Origin: refuse requests that a foreign web site makes a browser send."""

import ipaddress
from urllib.parse import urlsplit

from flask import Request

from sparktest.errors import ForbiddenError

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_loopback(host: str) -> bool:
    """Return True when this name or address can only mean the local machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_foreign_host(request: Request) -> None:
    """Refuse a request that was not sent to localhost.

    Raises:
        ForbiddenError: its Host is another name.
    """
    # DNS rebinding: evil.example can resolve to 127.0.0.1, but its page cannot change the Host.
    try:
        host = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        host = ""
    if not is_loopback(host):
        raise ForbiddenError(
            "without a token this API answers only as localhost; "
            "set SPARKTEST_TOKEN on both sides to use another name"
        )


def refuse_cross_site(request: Request) -> None:
    """Refuse a write that the page of another web site sends.

    Raises:
        ForbiddenError: it is one.
    """
    if request.method in READ_METHODS:
        return
    origin = request.headers.get("Origin")
    host = request.host.lower()
    # Only a proxy in front of the API knows which scheme the client used.
    foreign = origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}")
    if foreign or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise ForbiddenError("cross-site requests that change something are refused")
