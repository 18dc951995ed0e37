"""The command completion, and completions from the API: names of what exists.

When the API is down, is slow, or denies access, there are no completions and no message. Names that
a shell could expand are completed as their ids.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import click
from click.shell_completion import CompletionItem, get_completion_class

from sparktest.cli import COMPLETE_VARIABLE
from sparktest.cli.context import load_settings
from sparktest.cli.exits import ExitError
from sparktest.cli.lookup import MIN_PREFIX, N, T, find_run
from sparktest.client import ApiClient
from sparktest.client_resources import ResourceClient
from sparktest.domain import Run, Status
from sparktest.errors import SparkTestError
from sparktest.sanitize import clean

INSTALL = {
    "bash": 'in ~/.bashrc: eval "$(sparktest completion bash)"',
    "zsh": 'in ~/.zshrc, after compinit: eval "$(sparktest completion zsh)"',
    "fish": "sparktest completion fish > ~/.config/fish/completions/sparktest.fish",
}
# A word that no shell expands, splits or takes for an option.
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+-]*")
MAX_ITEMS = 200
TIMEOUT_SECONDS = 1.0
MAX_HELP = 60

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command("completion")
@click.argument("shell", type=click.Choice(tuple(INSTALL)))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    Completes commands and options, and runs, definitions and namespaces from the API. The last
    line of the script says how to install it.
    """
    shell_class = get_completion_class(shell)
    if shell_class is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    root = click.get_current_context().find_root().command
    # Not source(): that starts a bash to check its version.
    script = shell_class(root, {}, "sparktest", COMPLETE_VARIABLE)
    click.echo(script.source_template % script.source_vars())
    # At the end: zsh looks for #compdef in the first line.
    click.echo(f"# To install it: {INSTALL[shell]}")


def completions(values: Iterable[tuple[T, str]], incomplete: str) -> list[CompletionItem]:
    """Return the names that are unique and safe in a shell, and the ids of the others.

    Args:
        values: each with its help text.
        incomplete: what is typed so far. A few letters may begin ids by chance, so ids are left
            out when names match, until there are enough letters to refer to an id.
    """
    found = list(values)
    counts = Counter(value.name for value, _ in found)
    by_name: list[CompletionItem] = []
    by_id: list[CompletionItem] = []
    for value, text in found:
        usable = counts[value.name] == 1 and SAFE.fullmatch(value.name)
        if usable and value.name.startswith(incomplete):
            by_name.append(CompletionItem(value.name, help=help_text(text)))
        elif value.id.startswith(incomplete) and (incomplete or not usable):
            by_id.append(CompletionItem(value.id, help=help_text(value.name, text)))
    by_chance = by_name and 0 < len(incomplete) < MIN_PREFIX
    return by_name if by_chance else by_name + by_id


def help_text(*parts: str) -> str:
    """Return the parts on one short line, without characters that a shell's completion reads."""
    text = " ".join(" - ".join(parts).split())
    safe = "".join(letter if letter.isalnum() or letter in " ._@/+-" else "?" for letter in text)
    return safe[:MAX_HELP]


def without_used(
    items: Iterable[CompletionItem], context: click.Context, option: click.Parameter
) -> list[CompletionItem]:
    """Return the items that the command line does not have yet."""
    value = context.params.get(option.name or "")
    used = value if isinstance(value, tuple) else ()
    return [item for item in items if item.value not in used]


def first_argument(context: click.Context, name: str) -> str:
    """Return the argument of this name that the command line has; "" if it has none."""
    # click parses no arguments when an option at the end still lacks its value.
    return context.params.get(name) or next(iter(context.args), "")


def safe_completions(names: Mapping[str, str], incomplete: str) -> list[CompletionItem]:
    """Return the names that begin with what is typed and are safe in a shell, with their help."""
    return [
        CompletionItem(name, help=help_text(text) or None)
        for name, text in names.items()
        if name.startswith(incomplete) and SAFE.fullmatch(name)
    ]


def api_completion(
    items: Callable[[ApiClient, str, click.Context], Iterable[CompletionItem]],
) -> Completer:
    """Return a completer that asks the API, without what the command line has already.

    `items` gets what is typed of the word, and the context with what the command line has already.
    """

    def complete(
        context: click.Context, option: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            settings = load_settings({"backend_url": context.params.get("backend_url")})
            with ApiClient.from_settings(
                settings, clean=clean, timeout_seconds=TIMEOUT_SECONDS
            ) as client:
                return without_used(items(client, incomplete, context), context, option)
        except (SparkTestError, ExitError):
            return []

    return complete


def _runs(statuses: Sequence[str]) -> Completer:
    def items(client: ApiClient, incomplete: str, context: click.Context) -> list[CompletionItem]:
        page = client.list_runs(status=statuses, q=incomplete or None, limit=MAX_ITEMS)
        return completions(((run, run.status.value) for run in page.runs), incomplete)

    return api_completion(items)


def names_of(
    calls: Callable[[ApiClient], ResourceClient[N]], text: Callable[[N], str]
) -> Completer:
    """Return a completer of objects with a name; `text` is the help of one."""

    def items(client: ApiClient, incomplete: str, context: click.Context) -> list[CompletionItem]:
        found = calls(client).list()
        return completions(((each, text(each)) for each in found), incomplete)

    return api_completion(items)


def _distinct(texts: Callable[[Run], Iterable[str]]) -> Completer:
    def items(client: ApiClient, incomplete: str, context: click.Context) -> list[CompletionItem]:
        page = client.list_runs(limit=MAX_ITEMS)
        found = sorted({text for run in page.runs for text in texts(run)})
        return safe_completions(dict.fromkeys(found, ""), incomplete)

    return api_completion(items)


def _containers(client: ApiClient, incomplete: str, context: click.Context) -> list[CompletionItem]:
    run = find_run(client, first_argument(context, "reference"))
    return safe_completions(dict.fromkeys(run.containers, ""), incomplete)


RUN = _runs(())
LIVE_RUN = _runs([status for status in Status if not status.final])
ENDED_RUN = _runs([status for status in Status if status.final])
DEFINITION = names_of(lambda client: client.definitions, lambda each: each.image)
EXECUTOR = names_of(lambda client: client.executors, lambda each: each.image)
SUITE = names_of(lambda client: client.suites, lambda each: each.execution_mode.value)
SCHEDULE = names_of(lambda client: client.schedules, lambda each: each.cron)
NAMESPACE = _distinct(lambda run: (run.namespace,))
LABEL = _distinct(lambda run: run.labels)
CONTAINER = api_completion(_containers)
