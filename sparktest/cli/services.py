"""The programs of SparkTest: api, controller, tui; and db, which prepares the API's store."""

import logging
from typing import Any

import click

from sparktest.cli.door import as_infra, backend_option, settings_with
from sparktest.cli.lifeline import lifeline_option

LOG_LEVELS = ("debug", "info", "warning", "error")

log_level_option = click.option("--log-level", type=click.Choice(LOG_LEVELS))
database_option = click.option(
    "--database-url", metavar="URL", help="SQLite or PostgreSQL; holds everything the API knows."
)
kubeconfig_option = click.option("--kubeconfig", metavar="FILE")
context_option = click.option("--context", metavar="NAME", help="Which context of the kubeconfig.")


@click.command("api")
@click.option("--host", metavar="ADDRESS")
@click.option("--port", type=click.IntRange(0, 65535), help="0: any free one.")
@database_option
@kubeconfig_option
@context_option
@log_level_option
@lifeline_option
def api(**flags: Any) -> None:
    """Serve the REST API.

    Brings the store up to date first.
    """
    settings = settings_with(flags)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # It tells of every step at every start.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from sparktest.api.server import serve

    with as_infra():
        serve(settings)


@click.command("controller")
@backend_option
@kubeconfig_option
@context_option
@click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="Watch only this one; repeatable.",
)
@log_level_option
@lifeline_option
def controller(namespaces: tuple[str, ...], **flags: Any) -> int:
    """Turn TestRuns and API runs into Jobs.

    Follows their logs and reports what becomes of them.
    """
    settings = settings_with(flags | {"namespaces": namespaces or None})
    from sparktest.controller.app import run

    with as_infra():
        return run(settings)


@click.command("tui")
@backend_option
@context_option
@lifeline_option
def tui(**flags: Any) -> int:
    """Open the terminal UI."""
    settings = settings_with(flags)
    from sparktest.tui.app import run

    return run(settings)


@click.group("db")
def db() -> None:
    """Prepare the store of the API."""


@db.command("upgrade")
@database_option
def upgrade(**flags: Any) -> None:
    """Bring the store up to date.

    sparktest api does it by itself when it starts.
    """
    settings = settings_with(flags)
    from sparktest.api.store import migrate

    with as_infra():
        migrate.upgrade(settings.database_url)
        click.echo(migrate.current(settings.database_url))


@db.command("current")
@database_option
def current(**flags: Any) -> None:
    """Print the revision of the store."""
    settings = settings_with(flags)
    from sparktest.api.store import migrate

    with as_infra():
        click.echo(migrate.current(settings.database_url))
