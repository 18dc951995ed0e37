"""What kubectl may complete behind `kubectl sparktest`: TestRuns, namespaces, contexts.

As in `sparktest.cli.completion`: a cluster that is away makes none, and no candidate can harm a
shell.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from sparktest.cli.completion import MAX_ITEMS, SAFE, TIMEOUT_SECONDS, help_text
from sparktest.cli.exits import ExitError
from sparktest.errors import SparkTestError

if TYPE_CHECKING:
    from sparktest.cli.plugin.place import Place

# A name and a word about it.
Offer = tuple[str, str]
Candidates = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def offered(offers: Iterable[Offer], incomplete: str) -> list[CompletionItem]:
    """The names that go on from what is typed and harm no shell."""
    return [
        CompletionItem(name, help=help_text(about) or None)
        for name, about in offers
        if name.startswith(incomplete) and SAFE.fullmatch(name)
    ]


def asks_cluster(answer: Callable[["Place"], Iterable[Offer]]) -> Candidates:
    """The candidates that the cluster's answer gives, without those on the line already."""

    def complete(
        context: click.Context, option: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from sparktest.cli.plugin.place import connected

        params = context.params
        given = params.get(option.name or "")
        there = given if isinstance(given, tuple) else ()
        try:
            place = connected(
                params.get("kubeconfig"),
                params.get("context"),
                params.get("namespace"),
                TIMEOUT_SECONDS,
            )
            found = offered(answer(place), incomplete)
        except (SparkTestError, ExitError):
            return []
        return [item for item in found if item.value not in there]

    return complete


def _testruns(*, live_only: bool) -> Candidates:
    def answer(place: "Place") -> list[Offer]:
        from sparktest.cli.plugin.testrun import TestRun

        every = [TestRun(each) for each in place.testruns(most=MAX_ITEMS)]
        return [(each.name, each.phase) for each in every if not (live_only and each.ended)]

    return asks_cluster(answer)


def _definitions(place: "Place") -> list[Offer]:
    from sparktest.cli.plugin.testrun import TestRun

    names = {TestRun(each).spec.get("definitionName") for each in place.testruns(most=MAX_ITEMS)}
    return [(name, "definition") for name in sorted(filter(None, names))]


def _namespaces(place: "Place") -> list[Offer]:
    from sparktest.kube.cluster import NAMESPACES

    return [
        (str(each["metadata"]["name"]), "")
        for each in place.cluster.list(NAMESPACES, most=MAX_ITEMS).items
    ]


def _contexts(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from sparktest.kube import config
    from sparktest.settings import Settings

    try:
        found = config.contexts(Settings(kubeconfig=context.params.get("kubeconfig")))
    except SparkTestError:
        return []
    return offered(((name, "") for name in found), incomplete)


TESTRUN = _testruns(live_only=False)
LIVE_TESTRUN = _testruns(live_only=True)
DEFINITION = asks_cluster(_definitions)
NAMESPACE = asks_cluster(_namespaces)
CONTEXT: Candidates = _contexts
