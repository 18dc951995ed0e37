"""Settings and API client of the commands."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import click

from sparktest import kubectl
from sparktest.cli.exits import Exit, ExitError, infra_errors, warn
from sparktest.client import ApiClient
from sparktest.errors import InvalidError, UnauthorizedError
from sparktest.sanitize import clean
from sparktest.settings import DEFAULT, Settings, api_url, load, load_with_sources


def load_settings(overrides: Mapping[str, Any], *, session: bool = True) -> Settings:
    """Return the settings, overridden by the values of flags (None: not given).

    Raises:
        ExitError: a setting is invalid.
    """
    with infra_errors():
        return load(overrides=overrides, session=session)


def token_error(source: str) -> str:
    """Return the message for an API that denies access; `source`: of the token in the settings."""
    if source == DEFAULT:
        return "the API requires a token, but SPARKTEST_TOKEN and SPARKTEST_TOKEN_FILE are not set"
    return f"the API rejected the token from {source}: it is unknown, expired or revoked"


def known_clusters(client: ApiClient) -> kubectl.Clusters:
    """Return the clusters that printed kubectl commands can name, for runs of this API."""
    return kubectl.known_clusters(load_settings({"backend_url": client.url}))


def _valid_url(context: click.Context, option: click.Parameter, url: str | None) -> str | None:
    try:
        return api_url(url) if url else None
    except InvalidError as error:
        raise click.BadParameter(error.detail) from error


backend_option = click.option(
    "--backend-url", metavar="URL", callback=_valid_url, help="Address of the API."
)


def uses_api(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option --backend-url, and call the command with a client of that API."""

    @backend_option
    @functools.wraps(command)
    def with_client(*args: Any, **kw: Any) -> Any:
        with infra_errors():
            settings, sources = load_with_sources(overrides={"backend_url": kw.pop("backend_url")})
        with ApiClient.from_settings(settings, clean=clean, warn=warn) as client:
            try:
                return command(client, *args, **kw)
            except UnauthorizedError as error:
                raise ExitError(token_error(sources["token"]), Exit.INFRA) from error

    return with_client
