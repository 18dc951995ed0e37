"""The calls about tokens and the audit."""

from datetime import datetime
from typing import Any

import msgspec

from sparktest.client_resources import ResourceClient
from sparktest.domain_access import AuditEntry, Token, TokenAccess
from sparktest.http import HttpTransport


class TokenClient(ResourceClient[Token]):
    """The calls about tokens: `client.tokens`."""

    def __init__(self, http: HttpTransport) -> None:
        super().__init__(http, "/tokens", Token)

    def own(self) -> TokenAccess:
        """Return what the token of this client may do."""
        return self._http.fetch(TokenAccess, "GET", f"{self.path}/self")


class AuditClient:
    """The calls about the audit: `client.audit`."""

    def __init__(self, http: HttpTransport) -> None:
        self._http = http

    def list(
        self,
        *,
        actor: str | None = None,
        object_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> tuple[AuditEntry, ...]:
        """Return the newest writes of clients that match."""
        params: dict[str, Any] = {
            "actor": actor,
            "objectId": object_id,
            "since": since,
            "until": until,
            "limit": limit,
        }
        return self._http.fetch(
            tuple[AuditEntry, ...], "GET", "/audit", params=msgspec.to_builtins(params)
        )
