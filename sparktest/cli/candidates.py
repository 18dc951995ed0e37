"""What a shell may complete with what the API knows: runs, definitions, namespaces, labels.

An API that is away, slow or refuses makes no candidates and says nothing. A candidate becomes part
of a command line as it is, so a name that a shell could read otherwise is not one: its id is.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import click
from click.shell_completion import CompletionItem

from sparktest.cli.exits import ExitError
from sparktest.cli.references import SHORTEST
from sparktest.errors import SparkTestError

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Run

# What no shell expands, splits or takes for an option.
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+-]*")
MOST = 200
SECONDS = 1.0
LONGEST_HELP = 60

Candidates = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class Named(Protocol):
    """Whatever has an id and a name."""

    @property
    def id(self) -> str:
        """What it is known by, for ever."""

    @property
    def name(self) -> str:
        """What people call it."""


def candidates(named: Iterable[tuple[Named, str]], incomplete: str) -> list[CompletionItem]:
    """The names that mean one thing and harm no shell, and the ids of the others.

    Args:
        named: the things, and a word about each.
        incomplete: what is typed so far. A few letters may begin ids by chance, so ids count only
            where no name goes on from them, or where they are enough for a reference.
    """
    things = list(named)
    times = Counter(thing.name for thing, _ in things)
    by_name: list[CompletionItem] = []
    by_id: list[CompletionItem] = []
    for thing, about in things:
        has_name = times[thing.name] == 1 and SAFE.fullmatch(thing.name)
        if has_name and thing.name.startswith(incomplete):
            by_name.append(CompletionItem(thing.name, help=help_of(about)))
        elif thing.id.startswith(incomplete) and (incomplete or not has_name):
            by_id.append(CompletionItem(thing.id, help=help_of(thing.name, about)))
    chance = by_name and 0 < len(incomplete) < SHORTEST
    return by_name if chance else by_name + by_id


def help_of(*parts: str) -> str:
    """The parts on one short line, without what has a meaning to a shell's completion."""
    text = " ".join(" - ".join(parts).split())
    plain = "".join(letter if letter.isalnum() or letter in " ._@/+-" else "?" for letter in text)
    return plain[:LONGEST_HELP]


def asks_api(
    answer: Callable[["ApiClient", str], Iterable[CompletionItem]],
) -> Candidates:
    """The candidates that the API's answer gives, without those that are on the line already."""

    def complete(
        context: click.Context, option: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from sparktest.cli.door import settings_with
        from sparktest.client import ApiClient
        from sparktest.sanitize import clean

        given = context.params.get(option.name or "")
        there = given if isinstance(given, tuple) else ()
        try:
            settings = settings_with({"backend_url": context.params.get("backend_url")})
            with ApiClient.from_settings(settings, clean=clean, seconds=SECONDS) as client:
                found = list(answer(client, incomplete))
        except (SparkTestError, ExitError):
            return []
        return [item for item in found if item.value not in there]

    return complete


def _runs(statuses: Sequence[str]) -> Candidates:
    def answer(client: "ApiClient", incomplete: str) -> list[CompletionItem]:
        page = client.list_runs(status=statuses, q=incomplete or None, limit=MOST)
        return candidates(((run, run.status.value) for run in page.runs), incomplete)

    return asks_api(answer)


def _definitions(client: "ApiClient", incomplete: str) -> list[CompletionItem]:
    found = client.list_definitions()
    return candidates(((each, each.image) for each in found), incomplete)


def _distinct(texts: Callable[["Run"], Iterable[str]]) -> Candidates:
    def answer(client: "ApiClient", incomplete: str) -> list[CompletionItem]:
        page = client.list_runs(limit=MOST)
        every = sorted({text for run in page.runs for text in texts(run)})
        return [
            CompletionItem(text)
            for text in every
            if text.startswith(incomplete) and SAFE.fullmatch(text)
        ]

    return asks_api(answer)


RUN = _runs(())
LIVE_RUN = _runs(("pending", "running"))
ENDED_RUN = _runs(("succeeded", "failed", "timed_out", "cancelled"))
DEFINITION = asks_api(_definitions)
NAMESPACE = _distinct(lambda run: (run.namespace,))
LABEL = _distinct(lambda run: run.labels)
