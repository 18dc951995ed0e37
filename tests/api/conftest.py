"""The fixture ladder: database, application, client; on every database the machine has."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sparktest.api import create_app
from sparktest.api.doors import Doors
from sparktest.api.store import Store, migrate
from sparktest.settings import Settings
from tests.api import databases


class Clock:
    """A time that moves only when a test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=databases.ENGINES)
def database_url(request, tmp_path, template) -> str:
    return databases.migrated(request.param, tmp_path, template)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(database_url, clock) -> Iterator[Flask]:
    app = create_app(Settings(database_url=database_url, namespace="tests"), clock=clock)
    yield app
    app.extensions["sparktest"].store.close()


@pytest.fixture
def doors(app: Flask) -> Doors:
    doors: Doors = app.extensions["sparktest"]
    return doors


@pytest.fixture
def store(doors: Doors) -> Store:
    return doors.store


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
