"""The programs api, controller and tui; and db, which prepares the API's store.

Each command imports its program when it runs, so that the terminal UI does not load Flask and
SQLAlchemy, nor the API Kubernetes and Textual.
"""

import logging
from typing import Any

import click

from sparktest.cli.context import backend_option, load_settings
from sparktest.cli.exits import infra_errors
from sparktest.cli.up.processes import parent_watch_option
from sparktest.settings import LOG_LEVELS

log_level_option = click.option("--log-level", type=click.Choice(LOG_LEVELS))
database_option = click.option(
    "--database-url", metavar="URL", help="SQLite or PostgreSQL; where the API keeps everything."
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
@parent_watch_option
def api(**flags: Any) -> None:
    """Serve the REST API.

    Brings the store up to date first.
    """
    settings = load_settings(flags)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # Alembic logs every step at every start.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from sparktest.api.server import serve

    with infra_errors():
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
@parent_watch_option
def controller(namespaces: tuple[str, ...], **flags: Any) -> int:
    """Turn TestRuns and API runs into Jobs.

    Collects their logs and reports their outcomes.
    """
    settings = load_settings(flags | {"namespaces": namespaces or None})
    from sparktest.controller.app import run

    with infra_errors():
        return run(settings)


@click.command("tui")
@backend_option
@context_option
@parent_watch_option
def tui(**flags: Any) -> int:
    """Open the terminal UI."""
    settings = load_settings(flags)
    from sparktest.tui.app import run

    return run(settings)


@click.group("db")
def db() -> None:
    """Prepare the store of the API."""


@db.command("upgrade")
@database_option
def upgrade(**flags: Any) -> None:
    """Bring the store up to date.

    sparktest api does this itself when it starts.
    """
    settings = load_settings(flags)
    from sparktest.api.store import migrate

    with infra_errors():
        click.echo(migrate.upgrade(settings.database_url))


@db.command("current")
@database_option
def current(**flags: Any) -> None:
    """Print the revision of the store."""
    settings = load_settings(flags)
    from sparktest.api.store import migrate

    with infra_errors():
        click.echo(migrate.current(settings.database_url))
