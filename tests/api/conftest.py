"""The fixture ladder: database, application, client; on every database the machine has."""

from pathlib import Path

import pytest

from sparktest.api.store import migrate
from tests.api import databases


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=databases.ENGINES)
def database_url(request, tmp_path, template) -> str:
    return databases.migrated(request.param, tmp_path, template)
