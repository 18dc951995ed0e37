"""Tokens of tests, and the headers that send them."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient

from sparktest.domain import Scope
from tests.api.requests import answered

BOOTSTRAP = "spt_canary_0123456789"


def bearer(token: str) -> dict[str, str]:
    """Return the headers that send a token."""
    return {"Authorization": f"Bearer {token}"}


def issue(
    client: FlaskClient, *scopes: Scope, name: str | None = None, until: datetime | None = None
) -> Any:
    """Create a token with these scopes and return the answer, which has the whole of it."""
    body: dict[str, Any] = {"name": name or f"token {uuid4()}", "scopes": list(scopes)}
    body |= {"expiresAt": until.isoformat()} if until else {}
    return answered(client.post("/api/tokens", json=body, headers=bearer(BOOTSTRAP)), 201)
