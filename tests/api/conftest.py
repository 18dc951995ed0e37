"""Fixtures: database, application and client, for SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sparktest.api import auth, create_app
from sparktest.api.context import AppContext
from sparktest.api.store import Store, migrate
from sparktest.settings import Settings
from tests.api import databases
from tests.api.credentials import BOOTSTRAP
from tests.api.documented import DocumentedClient


class Clock:
    """Clock that moves only when a test advances it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(scope="session", params=databases.ENGINES)
def shared_app(request, tmp_path_factory) -> Iterator[Flask]:
    """One application for each database; `app` empties it before each test."""
    folder = tmp_path_factory.mktemp(request.param)
    with databases.empty(request.param, folder) as url:
        migrate.upgrade(url)
        app = create_app(Settings(database_url=url, namespace="tests"))
        yield app
        app.extensions["sparktest"].store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(shared_app, clock) -> Iterator[Flask]:
    before: AppContext = shared_app.extensions["sparktest"]
    databases.clear(before.store)
    ctx = AppContext(before.settings, before.store, clock)
    ctx.metrics.set_routes(rule.rule for rule in shared_app.url_map.iter_rules())
    shared_app.extensions["sparktest"] = ctx
    yield cast(Flask, shared_app)
    ctx.authenticator.flush()
    # Its thread would keep a connection of PostgreSQL for half a minute.
    ctx.closing.set()
    ctx.notifier.close()
    # A test may have replaced the settings, or the whole context.
    shared_app.extensions["sparktest"] = before


@pytest.fixture
def ctx(app: Flask) -> AppContext:
    return cast(AppContext, app.extensions["sparktest"])


@pytest.fixture
def store(ctx: AppContext) -> Store:
    return ctx.store


@pytest.fixture
def not_admin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are accepted, but have no scope admin."""
    monkeypatch.setattr(auth, "is_admin", lambda: False)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    app.test_client_class = DocumentedClient
    return app.test_client()


@pytest.fixture
def token_needed(ctx: AppContext) -> Iterator[None]:
    """Let the API need a token, as every API that other machines can reach."""
    before = ctx.settings
    # No cluster: no test may depend on the kubeconfig of the machine.
    ctx.settings = Settings(token=BOOTSTRAP, namespace="tests", kubeconfig="/nonexistent")
    yield
    ctx.settings = before
