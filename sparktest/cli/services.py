"""The commands api, controller and tui.

Each imports its program when it runs: the terminal UI does not load Flask and SQLAlchemy, and the
API does not load Textual.
"""

import logging
from typing import Any

import click

from sparktest.cli import options
from sparktest.cli.context import backend_option, load_settings
from sparktest.cli.exits import infra_errors
from sparktest.cli.parent_watch import parent_watch_option
from sparktest.settings import LOG_LEVELS

log_level_option = click.option("--log-level", type=click.Choice(LOG_LEVELS))
database_option = click.option(
    "--database-url", metavar="URL", help="The database of the API: SQLite or PostgreSQL."
)
kubeconfig_option = click.option("--kubeconfig", metavar="FILE", help="The kubeconfig to use.")
context_option = click.option(
    "--context", metavar="NAME", help="The context of the kubeconfig to use."
)


@click.command("api")
@click.option("--host", metavar="ADDRESS")
@click.option("--port", type=options.PORT, help="0: any free one.")
@click.option("--api-workers", type=int, metavar="NUMBER", help="How many processes serve.")
@database_option
@kubeconfig_option
@context_option
@log_level_option
@parent_watch_option
def api(**flags: Any) -> None:
    """Serve the REST API.

    Migrates the database first.
    """
    # The token of a running `sparktest up` belongs to another API.
    settings = load_settings(flags, session=False)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # At INFO, Alembic logs every step at every start.
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
    help="Watch only this namespace; repeatable.",
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
@kubeconfig_option
@context_option
@parent_watch_option
def tui(**flags: Any) -> int:
    """Open the terminal UI.

    The kubectl commands that it shows name the kubeconfig and the context, except for the runs of a
    running `sparktest up`: their commands name its cluster.
    """
    settings = load_settings(flags)
    from sparktest.tui.app import run

    return run(settings)
