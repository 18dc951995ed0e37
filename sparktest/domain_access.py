"""Tokens and the audit as the API and its clients exchange them."""

from datetime import datetime

from sparktest.domain import Scope, WireStruct


class Token(WireStruct, frozen=True, kw_only=True):
    """A token of the API; `token` is the whole of it, which only the answer to its creation has."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    token: str | None = None

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return f"Token(id={self.id!r}, name={self.name!r})"


class TokenAccess(WireStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What the token of a request may do; `scopes` has those that another one includes, too."""

    name: str
    scopes: tuple[Scope, ...]
    expires_at: datetime | None = None


class AuditEntry(WireStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A write of a client; `object_id` is what was created or addressed, if it is one object."""

    at: datetime
    actor: str
    method: str
    path: str
    status: int
    object_id: str | None
