"""The command config."""

import re
from typing import Any

import click

from sparktest import settings
from sparktest.cli.exits import infra_errors
from sparktest.cli.output import show_document

HIDDEN = "***"


@click.command("config")
@click.option("-o", "--output", type=click.Choice(("table", "json", "yaml")), default="table")
def config(output: str) -> None:
    """Show the settings and where they come from."""
    with infra_errors():
        found, sources = settings.load_with_sources()
    values = {field: _display(field, getattr(found, field)) for field in sources}
    if output != "table":
        show_document(
            {field: {"value": values[field], "source": sources[field]} for field in values}, output
        )
        return
    width = max(map(len, values))
    for field, value in values.items():
        text = ",".join(value) if isinstance(value, list) else value
        text = "-" if text in (None, "") else text
        click.echo(f"{field:<{width}}   {text}   ({sources[field]})")


def _display(field: str, value: Any) -> Any:
    if field == "token":
        return HIDDEN if value else None
    if field == "database_url":
        return _without_password(value)
    return list(value) if isinstance(value, tuple) else value


def _without_password(url: str) -> str:
    """Return the URL with its passwords hidden: before the host, and in the query string."""
    # Up to the last @, because a password may contain @ and /.
    hidden = re.sub(r"^([^:/]+://[^:/@]*):.*@", rf"\1:{HIDDEN}@", url)
    return re.sub(r"([?&]\w*password=)[^&]*", rf"\1{HIDDEN}", hidden)
