"""Options of the plugin's commands, and completions that ask the cluster.

A cluster that is down, slow or refuses gives no completions and no message, and no completion can
be expanded by a shell.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from sparktest.cli.completion import MAX_ITEMS, SAFE, TIMEOUT_SECONDS, Completer, help_text
from sparktest.cli.exits import ExitError
from sparktest.cli.plugin.context import KubeContext, connect, context_names
from sparktest.errors import SparkTestError
from sparktest.kube.resources import NAMESPACES

# A name and a word of help.
Item = tuple[str, str]


def completions(items: Iterable[Item], incomplete: str) -> list[CompletionItem]:
    """Return the names that begin with what is typed and are safe in a shell."""
    return [
        CompletionItem(name, help=help_text(text) or None)
        for name, text in items
        if name.startswith(incomplete) and SAFE.fullmatch(name)
    ]


def cluster_completion(items: Callable[[KubeContext], Iterable[Item]]) -> Completer:
    """Return a completer that asks the cluster, without what the command line has already."""

    def complete(
        context: click.Context, option: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        params = context.params
        value = params.get(option.name or "")
        used = value if isinstance(value, tuple) else ()
        try:
            kube = connect(
                params.get("kubeconfig"),
                params.get("context"),
                params.get("namespace"),
                TIMEOUT_SECONDS,
            )
            found = completions(items(kube), incomplete)
        except (SparkTestError, ExitError):
            return []
        return [item for item in found if item.value not in used]

    return complete


def _testruns(kube: KubeContext) -> list[Item]:
    return [(each.name, each.phase) for each in kube.testruns(max_items=MAX_ITEMS)]


def _live_testruns(kube: KubeContext) -> list[Item]:
    found = kube.testruns(max_items=MAX_ITEMS)
    return [(each.name, each.phase) for each in found if not each.ended]


def _definitions(kube: KubeContext) -> list[Item]:
    found = kube.testruns(max_items=MAX_ITEMS)
    names = {each.spec.get("definitionName") for each in found}
    return [(name, "definition") for name in sorted(filter(None, names))]


def _namespaces(kube: KubeContext) -> list[Item]:
    found = kube.cluster.list(NAMESPACES, max_items=MAX_ITEMS).items
    return [(str(each["metadata"]["name"]), "") for each in found]


def _contexts(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    try:
        names = context_names(context.params.get("kubeconfig"))
    except SparkTestError:
        return []
    return completions(((name, "") for name in names), incomplete)


TESTRUN = cluster_completion(_testruns)
LIVE_TESTRUN = cluster_completion(_live_testruns)
DEFINITION = cluster_completion(_definitions)


def uses_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add kubectl's options for cluster and namespace; call the command with its KubeContext."""

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
