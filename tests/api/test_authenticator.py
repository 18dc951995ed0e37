"""Finding tokens: the cache, its end, and what is read from the database."""

import time
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event

from sparktest.api import authenticator
from sparktest.api.authenticator import Authenticator, digest, new_token
from sparktest.api.store import tokens
from sparktest.domain import Scope

ID = UUID("0d9f1c9e-6a5e-4c1d-9a37-0c6e0f1a2b3c")


@pytest.fixture
def token(store, clock):
    return add(store, clock.now, ["run"])


@pytest.fixture
def statements(store):
    """The statements that the store executes."""
    seen: list[str] = []

    def note(connection, cursor, statement, *rest):
        seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    yield seen
    event.remove(store.engine, "before_cursor_execute", note)


@pytest.fixture
def found(store, clock):
    reader = Authenticator(store, clock)
    yield reader
    reader.flush()


def add(store, now, scopes):
    made = new_token(ID)
    row = {
        "id": str(ID),
        "name": "ci",
        "scopes": scopes,
        "digest": digest(made).hex(),
        "created_at": now,
        "expires_at": None,
        "last_used_at": None,
    }
    assert store.write(lambda connection: tokens.add(connection, row))
    return made


def last_use(store):
    with store.reading() as connection:
        return (tokens.find(connection, str(ID)) or {})["last_used_at"]


def test_a_scope_includes_the_lower_ones_and_controller_none(store, clock, found):
    caller = found.find(add(store, clock.now, ["admin"]))
    assert caller.scopes == {Scope.READ, Scope.RUN, Scope.ADMIN}
    assert caller.token_id == ID.hex
    assert caller.name == "ci"


def test_a_token_is_read_once_in_a_while(store, clock, token, found, statements):
    assert found.find(token) == found.find(token) == found.find(token)
    assert len(statements) == 1


def test_a_token_revoked_elsewhere_is_refused_when_the_cache_ends(store, token, found, monkeypatch):
    assert found.find(token)
    assert store.write(lambda connection: tokens.remove(connection, str(ID)))
    assert found.find(token)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + authenticator.CACHE_SECONDS)
    assert found.find(token) is None


@pytest.mark.parametrize(
    "text", ["", "spt_", "x" * 200, f"spt_{ID.hex}_", f"spt_{ID}_{'0' * 64}", f"spt_{'0' * 97}"]
)
def test_what_is_no_token_costs_no_query(found, statements, text):
    assert found.find(text) is None
    assert statements == []


def test_unknown_tokens_are_not_kept(found):
    for _ in range(5):
        assert found.find(new_token(ID)) is None
    assert found._known == {}


def test_few_tokens_are_kept(token, found, monkeypatch):
    monkeypatch.setattr(authenticator, "MAX_CACHED", 1)
    found._known[b"other"] = found._known.get(b"", None)
    assert found.find(token)
    assert len(found._known) == 1


def test_the_last_use_is_stored_once_a_minute(store, clock, token, found):
    found.find(token)
    found.flush()
    first = clock.now
    assert last_use(store) == first
    clock.advance(59)
    other = Authenticator(store, clock)
    other.find(token)
    other.flush()
    assert last_use(store) == first
    clock.advance(2)
    third = Authenticator(store, clock)
    third.find(token)
    third.flush()
    assert last_use(store) == first + timedelta(seconds=61)
