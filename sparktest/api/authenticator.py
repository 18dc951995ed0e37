"""Find the token of a request in the store, with a cache, and note when each was used."""

import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sparktest.api.interval import Interval
from sparktest.api.store import Store
from sparktest.api.store import tokens as store
from sparktest.domain import Scope
from sparktest.errors import UnavailableError

# A token that is revoked in another process is accepted for this long.
CACHE_SECONDS = 5.0
MAX_CACHED = 1000
# The time of last use of a token is stored this often.
LAST_USE = timedelta(minutes=1)
FLUSH_SECONDS = 1.0
SECRET_BYTES = 32
TOKEN = re.compile(r"spt_(?P<id>[0-9a-f]{32})_[0-9a-f]{64}")
INCLUDED = {
    Scope.READ: {Scope.READ},
    Scope.RUN: {Scope.READ, Scope.RUN},
    Scope.ADMIN: {Scope.READ, Scope.RUN, Scope.ADMIN},
    Scope.CONTROLLER: {Scope.CONTROLLER},
}

log = logging.getLogger(__name__)


class Caller(NamedTuple):
    """Who sends a request: id and name of the token, and all scopes that it includes."""

    token_id: str
    name: str
    scopes: frozenset[Scope]
    expires_at: datetime | None = None


class _Known(NamedTuple):
    """A token as it was read from the store, until `read_again` of the monotonic clock."""

    caller: Caller
    read_again: float


class Authenticator:
    """The tokens in the store, with a cache for each process.

    Args:
        store: has the tokens.
        clock: returns the time now, aware, in UTC.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[bytes, _Known] = {}
        self._uses = Interval(LAST_USE.total_seconds())
        self._used: dict[str, datetime] = {}
        self._timer: threading.Timer | None = None

    def find(self, token: str) -> Caller | None:
        """Return who sends this token; None when it is unknown, expired or revoked.

        Raises:
            UnavailableError: it is not in the cache, and the database does not answer.
        """
        match = TOKEN.fullmatch(token)
        if match is None:
            return None
        key = digest(token)
        known = self._known.get(key)
        if known is None or time.monotonic() >= known.read_again:
            known = self._read(str(UUID(match["id"])), key)
        now = self._clock()
        if known is None:
            return None
        caller = known.caller
        if caller.expires_at and caller.expires_at <= now:
            return None
        self._note_use(caller.token_id, now)
        return caller

    def forget(self, token_id: str) -> None:
        """Read this token from the store at its next use."""
        with self._lock:
            self._known = {
                key: known
                for key, known in self._known.items()
                if known.caller.token_id != token_id
            }

    def flush(self) -> None:
        """Store the times of last use that wait for it; log where the database does not answer."""
        with self._lock:
            used, self._used = self._used, {}
            timer, self._timer = self._timer, None
        if timer:
            timer.cancel()
        try:
            if used:
                self._store.write(lambda connection: store.touch(connection, used, LAST_USE))
        except UnavailableError:
            log.warning("times of last use were not stored tokens=%s", len(used))

    def _read(self, token_id: str, key: bytes) -> _Known | None:
        with self._store.reading() as connection:
            row = store.find(connection, token_id)
        with self._lock:
            self._known.pop(key, None)
            if row is None or not hmac.compare_digest(bytes.fromhex(row["digest"]), key):
                return None
            scopes = frozenset[Scope]().union(*(INCLUDED[Scope(name)] for name in row["scopes"]))
            caller = Caller(UUID(row["id"]).hex, row["name"], scopes, row["expires_at"])
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            known = _Known(caller, time.monotonic() + CACHE_SECONDS)
            self._known[key] = known
            return known

    def _note_use(self, token_id: str, now: datetime) -> None:
        if not self._uses.is_due(token_id, time.monotonic()):
            return
        with self._lock:
            self._used[token_id] = now
            if self._timer is None:
                # In the background: a read does not wait for the database to write.
                self._timer = threading.Timer(FLUSH_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()


def new_token(token_id: UUID) -> str:
    """Return a new token with this id and a random secret of 256 bits."""
    return f"spt_{token_id.hex}_{secrets.token_hex(SECRET_BYTES)}"


def digest(token: str) -> bytes:
    """Return the SHA-256 of a token."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
