"""The command config: every setting as it holds now, and who gave it."""

from typing import Any

import click

from sparktest.cli.door import as_infra
from sparktest.cli.output import show_document

HIDDEN = "***"


@click.command("config")
@click.option("-o", "--output", type=click.Choice(("table", "json", "yaml")), default="table")
def config(output: str) -> None:
    """Show the settings and who gave them."""
    from sparktest import settings

    with as_infra():
        found, sources = settings.load_with_sources()
    shown = {field: _shown(field, getattr(found, field)) for field in sources}
    if output != "table":
        show_document(
            {field: {"value": shown[field], "source": sources[field]} for field in shown}, output
        )
        return
    width = max(map(len, shown))
    for field, value in shown.items():
        text = ",".join(value) if isinstance(value, list) else value
        text = "-" if text in (None, "") else text
        click.echo(f"{field:<{width}}   {text}   ({sources[field]})")


def _shown(field: str, value: Any) -> Any:
    if field == "token":
        return HIDDEN if value else None
    if field == "database_url":
        return _without_password(value)
    return list(value) if isinstance(value, tuple) else value


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    # The last @ that is before the path: a password may hold others.
    credentials, at, place = rest.partition("/")[0].rpartition("@")
    user, colon, _ = credentials.partition(":")
    path = rest[len(credentials) + len(at) + len(place) :]
    hidden = f"{user}:{HIDDEN}" if colon else user
    return f"{scheme}{separator}{hidden}{at}{place}{path}"
