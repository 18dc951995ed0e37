"""Who may ask: a token, or nobody but this machine; and no web page on anybody's behalf."""

import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from flask import Flask, request

from sparktest.api.context import app_context
from sparktest.errors import ForbiddenError, UnauthorizedError

OPEN = frozenset({"/livez", "/readyz", "/api/health"})
READS = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: Flask) -> None:
    """Check every request before anything else looks at it."""
    app.before_request(check)


def check() -> None:
    """Let the request pass.

    Raises:
        UnauthorizedError: the token is missing or wrong.
        ForbiddenError: it comes from a foreign web page, or by a name that is not this machine's
            where no token protects the API.
    """
    if request.method not in READS:
        _refuse_foreign_page()
    token = app_context().settings.token
    if not token:
        _refuse_foreign_host()
    elif request.path not in OPEN and not _has(token):
        raise UnauthorizedError(
            "a valid token is needed: send Authorization: Bearer <token>; "
            "our programs read it from SPARKTEST_TOKEN or SPARKTEST_TOKEN_FILE"
        )


def is_loopback(host: str) -> bool:
    """Whether this name or address can only mean the machine itself."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _has(token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # Hashes of equal length: the comparison tells nothing about the token, not even its length.
    same = hmac.compare_digest(_digest(given.strip()), _digest(token))
    return scheme.lower() == "bearer" and same


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


def _refuse_foreign_host() -> None:
    # A page on evil.example can make its name point to 127.0.0.1, but it cannot change the Host.
    if not is_loopback(_host(f"//{request.host}")):
        raise ForbiddenError(
            "without a token this API answers only as localhost; "
            "set SPARKTEST_TOKEN on both sides to use another name"
        )


def _refuse_foreign_page() -> None:
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin.lower() not in _own_origins(request.host.lower())
    if foreign or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise ForbiddenError("a web page of another site may not change anything here")


def _own_origins(host: str) -> tuple[str, ...]:
    # Which of the two it is, only a proxy in front of us knows.
    return f"http://{host}", f"https://{host}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
