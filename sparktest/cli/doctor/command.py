"""The command doctor: run all checks, and say how to fix problems."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
import msgspec

from sparktest import kubectl, settings
from sparktest.cli.context import backend_option
from sparktest.cli.doctor.api import api_checks
from sparktest.cli.doctor.checks import COLOURS, OK, Check, exit_code
from sparktest.cli.doctor.cluster import cluster_checks, cluster_uid, connect
from sparktest.cli.exits import Exit, infra_errors
from sparktest.cli.output import coloured, show_document
from sparktest.cli.services import context_option, kubeconfig_option
from sparktest.client import ApiClient
from sparktest.kube import config
from sparktest.sanitize import clean, clean_text
from sparktest.settings import Settings

API_TIMEOUT_SECONDS = 5.0


@click.command("doctor")
@backend_option
@kubeconfig_option
@context_option
@click.option("-o", "--output", type=click.Choice(("table", "json", "yaml")), default="table")
def doctor(output: str, **flags: Any) -> Exit:
    """Find what is wrong, and how to fix it.

    Checks settings, API, token, database, controller, cluster, CRD and permissions. Exits with 0 if
    there is no problem, with 6 if the API or the cluster is not reachable, and with 3 otherwise.
    """
    with infra_errors():
        found, sources = settings.load_with_sources(overrides=flags)
    checks = [_settings(found, sources), *_checked(_with_session_cluster(found), sources["token"])]
    if output == "table":
        _show(checks)
    else:
        keys = ("check", "state", "text", "todo")
        documents = [{key: getattr(each, key) for key in keys} for each in checks]
        show_document(clean(documents), output)
    return exit_code(checks)


def _settings(found: Settings, sources: dict[str, str]) -> Check:
    token = f"token from {sources['token']}" if found.token else "no token"
    text = f"API at {found.backend_url} ({sources['backend_url']}), {token}"
    return Check("settings", OK, text)


def _with_session_cluster(settings: Settings) -> Settings:
    """Return the settings with the cluster of a running `sparktest up`, unless they name one."""
    target = kubectl.known_clusters(settings).default
    return msgspec.structs.replace(settings, kubeconfig=target.kubeconfig, context=target.context)


def _checked(settings: Settings, token_source: str) -> Iterator[Check]:
    cluster = connect(settings)
    try:
        uid = None if isinstance(cluster, Check) else cluster_uid(cluster)
        with ApiClient.from_settings(
            settings, clean=clean, timeout_seconds=API_TIMEOUT_SECONDS
        ) as client:
            yield from api_checks(client, cluster=uid, token_source=token_source)
        if isinstance(cluster, Check):
            yield cluster
        else:
            yield from cluster_checks(cluster, settings, config.namespace(settings))
    finally:
        if not isinstance(cluster, Check):
            cluster.close()


def _show(checks: Sequence[Check]) -> None:
    width = max(len(each.check) for each in checks)
    for each in checks:
        state = click.style(f"{each.state:<9}", fg=COLOURS[each.state])
        text = " ".join(clean_text(each.text).split())
        todo = f"; to do: {each.todo}" if each.todo else ""
        click.echo(f"{state}   {each.check:<{width}}   {text}{todo}", color=coloured())
