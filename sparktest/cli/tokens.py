"""The commands about tokens: create, list, revoke."""

from datetime import UTC, datetime

import click

from sparktest.cli import options
from sparktest.cli.context import uses_api
from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.output import Column, output_option, plain, show, show_document
from sparktest.client import ApiClient
from sparktest.domain import Scope
from sparktest.domain_access import Token
from sparktest.times import format_age, format_time

SCOPES = click.Choice([scope.value for scope in Scope])


@click.group("token")
def token() -> None:
    """Manage the tokens of the API.

    Each command needs a token with the scope admin. The first one is SPARKTEST_TOKEN, with which
    the API was started.
    """


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=SCOPES,
    multiple=True,
    required=True,
    help="read < run < admin; controller: what a controller sends. Repeatable.",
)
@click.option(
    "--expires",
    metavar="TIME",
    callback=options.time_from_now(1),
    help="When it becomes invalid: 12h, 30d, or a time; default: never.",
)
@uses_api
def create(client: ApiClient, name: str, scopes: tuple[str, ...], expires: datetime | None) -> None:
    """Create a token and print it; it is never shown again."""
    body = {"name": name, "scopes": list(scopes)}
    made = client.tokens.create(body | ({"expiresAt": format_time(expires)} if expires else {}))
    click.echo(made.token)


@token.command("list")
@output_option()
@uses_api
def list_(client: ApiClient, output: str) -> None:
    """List tokens without their secrets, newest first."""
    found = client.tokens.list()
    if output in ("json", "yaml"):
        # Without the field of the secret, which only a new token has.
        fields = [
            {key: value for key, value in plain(one).items() if key != "token"} for one in found
        ]
        show_document(fields, output)
        return
    show(found, token_columns(datetime.now(UTC)), output)


@token.command("revoke")
@click.argument("references", metavar="TOKEN...", nargs=-1, required=True)
@uses_api
def revoke(client: ApiClient, references: tuple[str, ...]) -> None:
    """Revoke tokens, by name or id.

    Within 5 seconds every process of the API refuses them.
    """
    found = client.tokens.list()
    for made in [_find(found, reference) for reference in references]:
        client.tokens.delete(made.id)
        warn(f"the token {made.name} ({made.id}) is revoked")


def token_columns(now: datetime) -> list[Column[Token]]:
    """Return the columns of a table of tokens, with ages until now."""
    return [
        Column("ID", lambda made: made.id, min_width=8, is_id=True),
        Column("NAME", lambda made: made.name, min_width=8),
        Column("SCOPES", lambda made: ",".join(made.scopes)),
        Column("EXPIRES", lambda made: _expiry(made, now)),
        Column("LAST USED", lambda made: _age(made.last_used_at, now)),
        Column("AGE", lambda made: _age(made.created_at, now)),
    ]


def _expiry(made: Token, now: datetime) -> str | None:
    if made.expires_at is None:
        return None
    return f"in {format_age(made.expires_at - now)}" if made.expires_at > now else "expired"


def _age(at: datetime | None, now: datetime) -> str | None:
    return format_age(now - at) if at else None


def _find(tokens: tuple[Token, ...], reference: str) -> Token:
    for made in tokens:
        if reference in (made.name, made.id):
            return made
    raise ExitError(
        f"no token has the name or id {reference!r}; see: sparktest token list", Exit.USAGE
    )
