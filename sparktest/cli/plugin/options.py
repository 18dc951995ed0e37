"""Options of the plugin's commands, and completions that ask the cluster.

A cluster that does not answer in time gives no completions and no message.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from sparktest.cli.completion import (
    MAX_ITEMS,
    TIMEOUT_SECONDS,
    Completer,
    first_argument,
    safe_completions,
    without_used,
)
from sparktest.cli.exits import ExitError
from sparktest.cli.plugin.context import KubeContext, connect, context_names
from sparktest.errors import SparkTestError
from sparktest.kube.pod_template import container_names
from sparktest.kube.resources import NAMESPACES


def cluster_completion(
    names: Callable[[KubeContext, click.Context], Mapping[str, str]],
) -> Completer:
    """Return a completer that offers names from the cluster, each with its help.

    `names` gets the context with what the command line has already.
    """

    def complete(
        context: click.Context, option: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        params = context.params
        try:
            kube = connect(
                params.get("kubeconfig"),
                params.get("context"),
                params.get("namespace"),
                TIMEOUT_SECONDS,
            )
            return without_used(safe_completions(names(kube, context), incomplete), context, option)
        except (SparkTestError, ExitError):
            return []

    return complete


def _testruns(kube: KubeContext, context: click.Context) -> dict[str, str]:
    return {each.name: each.status.phase for each in kube.testruns(max_items=MAX_ITEMS)}


def _live_testruns(kube: KubeContext, context: click.Context) -> dict[str, str]:
    found = kube.testruns(max_items=MAX_ITEMS)
    return {each.name: each.status.phase for each in found if not each.status.final}


def _definitions(kube: KubeContext, context: click.Context) -> dict[str, str]:
    found = kube.testruns(max_items=MAX_ITEMS)
    names = {each.definition_name for each in found if each.definition_name}
    return dict.fromkeys(sorted(names), "definition")


def _namespaces(kube: KubeContext, context: click.Context) -> dict[str, str]:
    found = kube.cluster.list(NAMESPACES, max_items=MAX_ITEMS).items
    return dict.fromkeys((str(each["metadata"]["name"]) for each in found), "")


def _containers(kube: KubeContext, context: click.Context) -> dict[str, str]:
    pod = kube.pod(kube.testrun(first_argument(context, "name")))
    return dict.fromkeys(container_names(pod) if pod else (), "")


def _contexts(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    try:
        names = context_names(context.params.get("kubeconfig"))
    except SparkTestError:
        return []
    return safe_completions(dict.fromkeys(names, ""), incomplete)


TESTRUN = cluster_completion(_testruns)
LIVE_TESTRUN = cluster_completion(_live_testruns)
DEFINITION = cluster_completion(_definitions)
CONTAINER = cluster_completion(_containers)


def uses_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add kubectl's options for cluster and namespace; pass their KubeContext to the command."""

    @click.option("--kubeconfig", metavar="FILE", type=click.Path())
    @click.option(
        "--context", metavar="NAME", help="Instead of the current one.", shell_complete=_contexts
    )
    @click.option(
        "-n",
        "--namespace",
        metavar="NAME",
        help="Instead of the context's.",
        shell_complete=cluster_completion(_namespaces),
    )
    @functools.wraps(command)
    def with_context(
        *args: Any, kubeconfig: str | None, context: str | None, namespace: str | None, **kw: Any
    ) -> Any:
        kube = connect(kubeconfig, context, namespace)
        try:
            return command(kube, *args, **kw)
        finally:
            kube.cluster.close()

    return with_context
