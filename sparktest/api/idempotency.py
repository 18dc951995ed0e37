"""Idempotency-Key: a POST that is sent again gets the first response, and changes nothing."""

import hashlib
from collections.abc import Callable

from flask import Request, Response
from sqlalchemy import Connection

from sparktest.api import auth
from sparktest.api.context import app_context
from sparktest.api.parsing import MAX_BODY_BYTES, read_body
from sparktest.api.store import idempotency as store
from sparktest.api.store.engine import Row
from sparktest.errors import InvalidError

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_KEY_LENGTH = 255

Work = Callable[[Connection], Response]


def once(req: Request, work: Work) -> Work:
    """Return the work of a request; if it has a key, one that is executed once for each key.

    Keys of different tokens are independent. Only successful responses are kept.

    Raises:
        InvalidError: the key is not valid.
    """
    key = req.headers.get(HEADER)
    if key is None or req.method != "POST":
        return work
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise InvalidError(
            f"{HEADER}: must be 1 to {MAX_KEY_LENGTH} printable ASCII characters, such as a UUID"
        )
    token_id, fingerprint, now = auth.token_id(), _fingerprint(req), app_context().clock()

    def execute_once(connection: Connection) -> Response:
        if not store.reserve(connection, token_id, key, fingerprint, now):
            return _replay(store.find(connection, token_id, key), fingerprint)
        response = work(connection)
        if response.status_code < 300:
            store.keep(connection, token_id, key, _kept(response))
        else:
            store.release(connection, token_id, key)
        return response

    return execute_once


def refuse(req: Request, why: str) -> None:
    """Raise InvalidError if the request has a key, for a route that cannot keep its response."""
    if HEADER in req.headers:
        raise InvalidError(f"{HEADER}: is not supported here: {why}")


def _fingerprint(req: Request) -> str:
    digest = hashlib.sha256(f"{req.method} {req.full_path}\n".encode())
    digest.update(read_body(req, MAX_BODY_BYTES))
    return digest.hexdigest()


def _kept(response: Response) -> dict[str, object]:
    return {
        "status": response.status_code,
        "headers": dict(response.headers),
        "body": response.get_data(),
    }


def _replay(first: Row | None, fingerprint: str) -> Response:
    if first is None or first["fingerprint"] != fingerprint:
        raise InvalidError(
            f"{HEADER}: this key was sent with another request, of another path or body; "
            "use a new key for each request"
        )
    response = Response(first["body"], first["status"])
    response.headers.clear()
    response.headers.extend(first["headers"])
    response.headers[REPLAYED] = "true"
    return response
