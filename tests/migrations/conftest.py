"""Fixtures: an empty database of each kind, and its connections."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Connection, create_engine

from sparktest.api.store.engine import is_sqlite, parse_url
from tests.api import databases

Connect = Callable[[], AbstractContextManager[Connection]]


@pytest.fixture(params=databases.ENGINES)
def url(request, tmp_path) -> Iterator[str]:
    with databases.empty(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def postgres_url(tmp_path) -> Iterator[str]:
    with databases.empty("postgresql", tmp_path) as url:
        yield url


@pytest.fixture
def connect(request) -> Iterator[Connect]:
    """Open a transaction on the database of the test, `url` or `postgres_url`."""
    name = "url" if "url" in request.fixturenames else "postgres_url"
    url = parse_url(request.getfixturevalue(name))
    # A prepared statement fails once a migration has changed the type of its columns.
    options = {} if is_sqlite(url) else {"prepare_threshold": None}
    engine = create_engine(url, connect_args=options)
    yield engine.begin
    engine.dispose()
