"""Authenticate requests, and authorize them by the scopes of their route and their token."""

import hmac
import logging
from collections.abc import Collection
from typing import cast

from flask import current_app, g, request

from sparktest.api import hosts
from sparktest.api.authenticator import Caller, digest
from sparktest.api.context import app_context
from sparktest.domain import Scope
from sparktest.errors import FieldError, ForbiddenError, UnauthorizedError

# A request to an API without a token, which only this machine can send.
LOCAL = Caller("local", "local", frozenset(Scope))
# The token of the setting SPARKTEST_TOKEN.
BOOTSTRAP = Caller("bootstrap", "bootstrap", frozenset(Scope))
RESERVED_NAMES = frozenset({LOCAL.name, BOOTSTRAP.name})

log = logging.getLogger(__name__)


def check_request() -> None:
    """Check Host, Origin and token of the request, and the scopes that its route needs.

    Raises:
        UnauthorizedError: the token is missing, unknown, expired or revoked.
        ForbiddenError: the token has none of the scopes of the route; or the request comes from
            another web site; or, where no token is set, it has a Host other than localhost.
    """
    hosts.refuse_cross_site(request)
    if not app_context().settings.token:
        hosts.refuse_foreign_host(request)
    view = current_app.view_functions.get(request.endpoint or "")
    scopes = getattr(view, "required_scopes", None)
    if scopes == ():
        return
    g.caller = _authenticate()
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
    found = None
    if scheme.lower() == "bearer":
        token = given.strip()
        # Digests have equal length: the comparison reveals nothing, not even that of the token.
        if hmac.compare_digest(digest(token), digest(ctx.settings.token)):
            return BOOTSTRAP
        found = ctx.authenticator.find(token)
    if found is None:
        raise UnauthorizedError(
            "a valid token is needed, which is not expired or revoked: send "
            "Authorization: Bearer <token>; SparkTest's programs read it from SPARKTEST_TOKEN or "
            "SPARKTEST_TOKEN_FILE"
        )
    return found


def _authorize(scopes: Collection[Scope]) -> None:
    """Refuse the request unless it has one of the scopes; without any, nobody may send it."""
    sender = caller()
    if sender.scopes.isdisjoint(scopes):
        log.warning(
            "request refused actor=%s method=%s path=%s", sender.name, request.method, request.path
        )
        needed = " or ".join(scopes) or "of a route, and this one does not declare any"
        raise ForbiddenError(
            f"the token {sender.name!r} does not have the scope {needed}; somebody with the scope "
            "admin can create one that has it: sparktest token create NAME --scope SCOPE"
        )
