"""The command db: migrate, measure, back up and prune the database of the API.

The store is imported when a command runs: it loads SQLAlchemy and Alembic.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from sparktest.cli import options
from sparktest.cli.context import load_settings
from sparktest.cli.exits import infra_errors, warn
from sparktest.cli.services import database_option


@click.group("db", invoke_without_command=True)
@click.pass_context
def db(context: click.Context) -> None:
    """Migrate, back up and prune the database of the API.

    Without a command, print its revision, and what takes how much room.
    """
    if context.invoked_subcommand is None:
        context.invoke(size)


@db.command("size")
@database_option
def size(**flags: Any) -> None:
    """Print the revision and the size of each table."""
    settings = load_settings(flags)
    from sparktest.api.store import migrate, upkeep

    with infra_errors():
        found = upkeep.sizes(settings.database_url)
        revision = migrate.current(settings.database_url)
    click.echo(f"revision {revision}, {_size(found.total)}, of which {_size(found.free)} are free")
    for table in found.tables:
        click.echo(f"{table.table:<24} {table.rows:>12,} rows {_size(table.size):>12}")


@db.command("prune")
@click.option(
    "--older-than",
    "before",
    metavar="TIME",
    callback=options.time_from_now(-1),
    help="Delete runs that are older, such as 30d; default: SPARKTEST_RETENTION_DAYS.",
)
@click.option(
    "--keep",
    type=options.WholeNumber(1, 2**40),
    help="Keep this many of the newest runs; default: SPARKTEST_RETENTION_RUNS.",
)
@click.option("--dry-run", is_flag=True, help="Only print what would be deleted.")
@database_option
def prune(before: datetime | None, keep: int | None, *, dry_run: bool, **flags: Any) -> None:
    """Delete old runs and their logs.

    Kept are runs that have not ended or ended less than an hour ago, and those of a suite run of
    which another run is kept. The API may serve meanwhile, and prunes by itself where a retention
    is set.
    """
    settings = load_settings(flags)
    now = datetime.now(UTC)
    days: float | None
    if before is None and keep is None:
        days, keep = settings.retention_days, settings.retention_runs
    else:
        days = None if before is None else (now - before) / timedelta(days=1)
    if days is None and keep is None:
        raise click.UsageError(
            "give --older-than or --keep, or set SPARKTEST_RETENTION_DAYS or _RUNS"
        )
    from sparktest.api.store import upkeep

    with infra_errors():
        pruned = upkeep.prune(settings.database_url, now, days, keep, dry_run=dry_run)
    verb = "would be deleted" if dry_run else "deleted"
    click.echo(f"{pruned.runs:,} runs with {_size(pruned.log_bytes)} of logs {verb}")
    if dry_run:
        warn("runs that ended in the last hour are kept, and those that have not ended")


@db.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@database_option
def backup(file: Path, **flags: Any) -> None:
    """Copy the SQLite database to FILE.

    The copy is as the database is now, also while the API serves. FILE must not exist; only you
    can read it. PostgreSQL has pg_dump.
    """
    settings = load_settings(flags)
    from sparktest.api.store import upkeep

    def progress(left: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "" if left else "\n"
            click.echo(f"\r{100 * (total - left) // max(total, 1)} %", err=True, nl=False)
            click.echo(end, err=True, nl=False)

    with infra_errors():
        written = upkeep.backup(settings.database_url, file, progress)
    click.echo(f"{file} ({_size(written)})")


@db.command("upgrade")
@database_option
def upgrade(**flags: Any) -> None:
    """Migrate the database to the current schema.

    Prints its revision. sparktest api does this when it starts.
    """
    settings = load_settings(flags)
    from sparktest.api.store import migrate

    with infra_errors():
        click.echo(migrate.upgrade(settings.database_url))


@db.command("downgrade")
@click.argument("revision")
@database_option
def downgrade(revision: str, **flags: Any) -> None:
    """Undo migrations down to REVISION.

    Do this before you install an older version of SparkTest. Stop the API first. Data that the
    older schema cannot hold is lost.
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
        revision = migrate.current(settings.database_url)
    if revision:
        click.echo(revision)
    else:
        warn("the database has no schema yet; sparktest api or sparktest db upgrade makes it")


def _size(size: int | None) -> str:
    """Return a number of bytes for people."""
    return "?" if size is None else f"{size / 1e6:,.1f} MB"
