"""Authenticate requests: by token, or from this machine only; refuse cross-site requests."""

import hashlib
import hmac
import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from flask import request

from sparktest.api.context import app_context
from sparktest.errors import FieldError, ForbiddenError, UnauthorizedError

OPEN_PATHS = frozenset({"/livez", "/readyz", "/api/health"})
READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def check_request() -> None:
    """Check the token, the Host and the Origin of the request.

    Raises:
        UnauthorizedError: the token is missing or wrong.
        ForbiddenError: the request comes from another web site, or, where no token is set, has a
            Host other than localhost.
    """
    if request.method not in READ_METHODS:
        _refuse_cross_site()
    token = app_context().settings.token
    if not token:
        _refuse_foreign_host()
    elif request.path not in OPEN_PATHS and not _is_sent(token):
        raise UnauthorizedError(
            "a valid token is needed: send Authorization: Bearer <token>; "
            "SparkTest's programs read it from SPARKTEST_TOKEN or SPARKTEST_TOKEN_FILE"
        )


def is_admin() -> bool:
    """Return True when the request, which `check_request` let pass, has the scope admin.

    `SPARKTEST_TOKEN` has all scopes; without a token, only this machine can send requests.
    """
    token = app_context().settings.token
    return not token or _is_sent(token)


def require_admin(fields: Collection[str], why: str) -> None:
    """Refuse a request without the scope admin if it has any of these fields.

    Args:
        fields: JSON pointers.
        why: the rule, which follows the name of each field.

    Raises:
        ForbiddenError: it names every field.
    """
    if fields and not is_admin():
        errors: list[FieldError] = [{"pointer": pointer, "detail": why} for pointer in fields]
        raise ForbiddenError(f"{', '.join(fields)}: {why}", errors=errors)


def is_loopback(host: str) -> bool:
    """Return True when this name or address can only mean the local machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_sent(token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # Digests have equal length: the comparison reveals nothing, not even the length of the token.
    same = hmac.compare_digest(_digest(given.strip()), _digest(token))
    return scheme.lower() == "bearer" and same


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


def _refuse_foreign_host() -> None:
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


def _refuse_cross_site() -> None:
    origin = request.headers.get("Origin")
    host = request.host.lower()
    # Only a proxy in front of the API knows which scheme the client used.
    foreign = origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}")
    if foreign or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise ForbiddenError("cross-site requests that change something are refused")
