"""The command audit."""

from datetime import UTC, datetime

import click

from sparktest.cli import options
from sparktest.cli.context import uses_api
from sparktest.cli.output import FORMATS, Column, show
from sparktest.client import ApiClient
from sparktest.domain_access import AuditEntry
from sparktest.times import format_age

# The server's limit for a page.
MAX_LIMIT = 1000


@click.command("audit")
@click.option("--actor", metavar="TOKEN", help="Only writes with the token of this name.")
@click.option("--object", "object_id", metavar="ID", help="Only writes to the object of this id.")
@click.option(
    "--since",
    metavar="TIME",
    callback=options.time_from_now(-1),
    help="Only writes since then: 15m, 2h, 7d, or a time.",
)
@click.option(
    "--until", metavar="TIME", callback=options.time_from_now(-1), help="Only writes before then."
)
@click.option("--limit", type=options.WholeNumber(1, MAX_LIMIT), default=100, show_default=True)
@click.option(
    "-o",
    "--output",
    type=click.Choice([form for form in FORMATS if form != "name"]),
    default="table",
    show_default=True,
)
@uses_api
def audit(
    client: ApiClient,
    actor: str | None,
    object_id: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    output: str,
) -> None:
    """List the writes of clients, newest first.

    Not what controllers send. Needs a token with the scope admin.
    """
    found = client.audit.list(
        actor=actor, object_id=object_id, since=since, until=until, limit=limit
    )
    show(found, audit_columns(datetime.now(UTC)), output)


def audit_columns(now: datetime) -> list[Column[AuditEntry]]:
    """Return the columns of a table of the audit, with ages until now."""
    return [
        Column("AGE", lambda entry: format_age(now - entry.at)),
        Column("ACTOR", lambda entry: entry.actor, min_width=8),
        Column("METHOD", lambda entry: entry.method),
        Column("PATH", lambda entry: entry.path, min_width=16),
        Column("STATUS", lambda entry: str(entry.status)),
        Column("OBJECT", lambda entry: entry.object_id, min_width=8, is_id=True),
    ]
