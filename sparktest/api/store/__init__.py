"""The store: all SQL of SparkTest. Tables, queries for each resource, migrations."""

from flask import Flask

from sparktest.api.store import access_tables  # noqa: F401 - registers its tables
from sparktest.api.store.engine import (
    Store,
    engine_options,
    ensure_sqlite_file,
    missing_driver_as_error,
    parse_url,
)
from sparktest.api.store.tables import db

__all__ = ["Store", "open_store"]


def open_store(app: Flask, database_url: str) -> Store:
    """Open the store of the application; `migrate.upgrade` must have run before.

    Raises:
        InvalidError: the URL is wrong, its path cannot be written, or a driver is missing.
    """
    url = parse_url(database_url)
    ensure_sqlite_file(url)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    with missing_driver_as_error():
        db.init_app(app)
    with app.app_context():
        return Store(db.engine)
