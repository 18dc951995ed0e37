"""The command doctor: is all there that SparkTest needs, and what to do where it is not."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from sparktest.cli.door import as_infra, backend_option
from sparktest.cli.exits import Exit
from sparktest.cli.findings import COLOURS, OK, Finding, exit_code
from sparktest.cli.output import coloured, show_document
from sparktest.cli.services import context_option, kubeconfig_option

if TYPE_CHECKING:
    from sparktest.settings import Settings

API_SECONDS = 5.0


@click.command("doctor")
@backend_option
@kubeconfig_option
@context_option
@click.option("-o", "--output", type=click.Choice(("table", "json", "yaml")), default="table")
def doctor(output: str, **flags: Any) -> Exit:
    """Check settings, API, token, database, controller, cluster, CRD and rights.

    Each line says ok, or what to do. Ends 0 when there is no problem, 6 when the API or the cluster
    is not reachable, and 3 else.
    """
    from sparktest import settings

    with as_infra():
        found, sources = settings.load_with_sources(overrides=flags)
    findings = [_settings(found, sources), *_checked(found)]
    if output == "table":
        _show(findings)
    else:
        from sparktest.sanitize import clean

        keys = ("check", "state", "text", "todo")
        told = [{key: getattr(each, key) for key in keys} for each in findings]
        show_document(clean(told), output)
    return exit_code(findings)


def _settings(found: "Settings", sources: dict[str, str]) -> Finding:
    token = f"token from {sources['token']}" if found.token else "no token"
    text = f"API at {found.backend_url} ({sources['backend_url']}), {token}"
    return Finding("settings", OK, text)


def _checked(settings: "Settings") -> Iterator[Finding]:
    from sparktest.cli.api_checks import api_findings
    from sparktest.cli.cluster_checks import cluster_findings, connected, uid_of
    from sparktest.client import ApiClient
    from sparktest.sanitize import clean

    cluster = connected(settings)
    try:
        uid = None if isinstance(cluster, Finding) else uid_of(cluster)
        with ApiClient.from_settings(settings, clean=clean, seconds=API_SECONDS) as client:
            yield from api_findings(client, cluster=uid)
        if isinstance(cluster, Finding):
            yield cluster
        else:
            from sparktest.kube import config

            yield from cluster_findings(cluster, config.namespace(settings))
    finally:
        if not isinstance(cluster, Finding):
            cluster.close()


def _show(findings: Sequence[Finding]) -> None:
    from sparktest.sanitize import clean_text

    room = max(len(each.check) for each in findings)
    for each in findings:
        state = click.style(f"{each.state:<9}", fg=COLOURS[each.state])
        text = " ".join(clean_text(each.text).split())
        todo = f"; to do: {each.todo}" if each.todo else ""
        click.echo(f"{state}   {each.check:<{room}}   {text}{todo}", color=coloured())
