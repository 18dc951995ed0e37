"""The command db: migrate the database of the API.

The store is imported when a command runs: it loads SQLAlchemy and Alembic.
"""

from typing import Any

import click

from sparktest.cli.context import load_settings
from sparktest.cli.exits import infra_errors
from sparktest.cli.services import database_option


@click.group("db")
def db() -> None:
    """Migrate the database of the API."""


@db.command("upgrade")
@database_option
def upgrade(**flags: Any) -> None:
    """Migrate the database to the current schema, and print its revision.

    sparktest api does this when it starts.
    """
    settings = load_settings(flags)
    from sparktest.api.store import migrate

    with infra_errors():
        click.echo(migrate.upgrade(settings.database_url))


@db.command("downgrade")
@click.argument("revision")
@database_option
def downgrade(revision: str, **flags: Any) -> None:
    """Undo migrations down to REVISION, for an older version of SparkTest.

    Stop the API first. Data that the older schema cannot hold is lost.
    """
    settings = load_settings(flags)
    from sparktest.api.store import migrate

    with infra_errors():
        click.echo(migrate.downgrade(settings.database_url, revision))


@db.command("current")
@database_option
def current(**flags: Any) -> None:
    """Print the schema revision of the database."""
    settings = load_settings(flags)
    from sparktest.api.store import migrate

    with infra_errors():
        click.echo(migrate.current(settings.database_url))
