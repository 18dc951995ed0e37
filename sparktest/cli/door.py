"""What commands need to speak to the API: the settings, a client, and a place for remarks."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sparktest.cli.exits import Exit, ExitError, text_of
from sparktest.errors import InvalidError, SparkTestError

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.kubectl import Clusters
    from sparktest.settings import Settings


def say(text: str) -> None:
    """Tell the person at the terminal, beside the output: one harmless line on stderr."""
    from sparktest.sanitize import clean_text

    click.echo(f"sparktest: {' '.join(clean_text(text).split())}", err=True)


def settings_with(overrides: Mapping[str, Any]) -> "Settings":
    """The settings, with these flags over them.

    Raises:
        ExitError: one cannot be.
    """
    from sparktest import settings

    try:
        return settings.load(overrides=overrides)
    except InvalidError as error:
        raise ExitError(text_of(error), Exit.INFRA) from error


def known_clusters(client: "ApiClient") -> "Clusters":
    """Return the clusters that printed kubectl commands can name, for runs of this API."""
    from sparktest import kubectl

    return kubectl.known_clusters(settings_with({"backend_url": client.url}))


@contextmanager
def as_infra() -> Iterator[None]:
    """What our own programs cannot do is infrastructure or configuration, never usage."""
    try:
        yield
    except SparkTestError as error:
        raise ExitError(text_of(error), Exit.INFRA) from error


def _checked_url(context: click.Context, option: click.Parameter, url: str | None) -> str | None:
    from sparktest.settings import api_url

    try:
        return api_url(url) if url else None
    except InvalidError as error:
        raise click.BadParameter(error.detail) from error


backend_option = click.option(
    "--backend-url", metavar="URL", callback=_checked_url, help="Address of the API."
)


def uses_api(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with the option --backend-url, called with a client of that API."""

    @backend_option
    @functools.wraps(command)
    def called(*args: Any, **kw: Any) -> Any:
        from sparktest.client import ApiClient
        from sparktest.sanitize import clean

        settings = settings_with({"backend_url": kw.pop("backend_url")})
        with ApiClient.from_settings(settings, clean=clean, warn=say) as client:
            return command(client, *args, **kw)

    return called
