"""The store: the only SQL. Tables, queries a resource, migrations; values in, rows out."""

from flask import Flask

from sparktest.api.store.engine import Store, driver_named, engine_options, make_room, parse_url
from sparktest.api.store.tables import db

__all__ = ["Store", "open_store"]


def open_store(app: Flask, database_url: str) -> Store:
    """The store of the application, opened; `migrate.upgrade` has brought it up to date before.

    Raises:
        InvalidError: the address is wrong, its place cannot be written, or a driver is missing.
    """
    url = parse_url(database_url)
    make_room(url)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    with driver_named():
        db.init_app(app)
    with app.app_context():
        return Store(db.engine)
