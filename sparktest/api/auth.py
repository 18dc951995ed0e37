"""Authenticate requests, and authorize them by the scopes of their route and their token."""

import hmac
import ipaddress
import logging
import time
from collections.abc import Collection
from typing import cast

from flask import current_app, g, request

from sparktest.api.authenticator import Caller, digest
from sparktest.api.context import app_context
from sparktest.domain import Scope
from sparktest.errors import FieldError, ForbiddenError, RateLimitedError, UnauthorizedError

# A request to an API without a token, which only this machine can send.
LOCAL = Caller("local", "local", frozenset(Scope))
# The token of the setting SPARKTEST_TOKEN.
BOOTSTRAP = Caller("bootstrap", "bootstrap", frozenset(Scope))
RESERVED_NAMES = frozenset({LOCAL.name, BOOTSTRAP.name})

UNAUTHENTICATED = (
    "a valid token is needed, which is not expired or revoked: send Authorization: Bearer <token>; "
    "SparkTest's programs read it from SPARKTEST_TOKEN or SPARKTEST_TOKEN_FILE"
)

# Key in the environment of a request whose body has not been read; it is checked again with it.
BODY_FOLLOWS = "sparktest.body_follows"

log = logging.getLogger(__name__)


def check_request() -> None:
    """Check the token of the request, and the scopes that its route needs.

    Raises:
        UnauthorizedError: the token is missing, unknown, expired or revoked.
        ForbiddenError: the token has none of the scopes of the route.
        RateLimitedError: the client sent too many wrong tokens, or too many requests.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    scopes = getattr(view, "required_scopes", None)
    if scopes == ():
        return
    g.caller = _authenticate()
    _limit_requests()
    # Where there is no route, a valid token is answered with 404 or 405.
    if view is not None:
        _authorize(scopes or ())


def caller() -> Caller:
    """Return who sent the request; only for routes that need a scope."""
    return cast(Caller, g.caller)


def token_id() -> str:
    """Return the id of the request's token, `bootstrap` or `local`; at most 32 characters."""
    return caller().token_id


def is_admin() -> bool:
    """Return True when the request has the scope admin."""
    return Scope.ADMIN in caller().scopes


def require(scope: Scope) -> None:
    """Refuse a request without this scope, where a route needs more than it declares.

    Raises:
        ForbiddenError: it names the scope.
    """
    _authorize((scope,))


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


def _authenticate() -> Caller:
    ctx = app_context()
    if not ctx.settings.token:
        return LOCAL
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    token = given.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnauthorizedError(UNAUTHENTICATED)
    now, address = time.monotonic(), _address()
    wait = ctx.wrong_tokens.wait(address, now)
    # Digests have equal length: the comparison reveals nothing, not even that of the token.
    is_bootstrap = hmac.compare_digest(digest(token), digest(ctx.settings.token))
    # SPARKTEST_TOKEN may be one that can be guessed; one that was used before is known, so that
    # wrong tokens from the same address (of a proxy) do not stop a controller.
    if is_bootstrap and (ctx.bootstrap_used or not wait):
        ctx.bootstrap_used = True
        return BOOTSTRAP
    found = ctx.authenticator.find(token)
    if found is not None:
        return found
    if wait:
        raise RateLimitedError(
            "too many requests with a wrong, expired or revoked token from this address",
            retry_after=wait,
        )
    ctx.wrong_tokens.count(address, now)
    log.warning("wrong token address=%s path=%r", address, request.path)
    raise UnauthorizedError(UNAUTHENTICATED)


def _address() -> str:
    """Return the address of the client; of IPv6 the network, which one client has whole."""
    text = request.remote_addr or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return text


def _limit_requests() -> None:
    """Refuse the request if its token sends too many; controllers are never refused."""
    sender = caller()
    limit = app_context().requests
    if limit is None or Scope.CONTROLLER in sender.scopes:
        return
    # Counted once.
    check = limit.wait if BODY_FOLLOWS in request.environ else limit.acquire
    wait = check(sender.token_id, time.monotonic())
    if wait:
        raise RateLimitedError(
            f"the token {sender.name!r} sends too many requests; "
            "see SPARKTEST_TOKEN_REQUESTS_PER_MINUTE",
            retry_after=wait,
        )


def _authorize(scopes: Collection[Scope]) -> None:
    """Refuse the request unless it has one of the scopes; without any, nobody may send it."""
    sender = caller()
    if sender.scopes.isdisjoint(scopes):
        log.warning(
            "request refused actor=%s method=%s path=%r", sender.name, request.method, request.path
        )
        needed = " or ".join(scopes) or "of a route, and this one does not declare any"
        raise ForbiddenError(
            f"the token {sender.name!r} does not have the scope {needed}; somebody with the scope "
            "admin can create one that has it: sparktest token create NAME --scope SCOPE"
        )
