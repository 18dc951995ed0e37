"""The command show: everything about a run that a person asks for."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import click

from sparktest.cli.candidates import RUN
from sparktest.cli.door import known_clusters, uses_api
from sparktest.cli.output import coloured, output_option, show
from sparktest.cli.references import find_run
from sparktest.cli.run_table import COLOURS, columns
from sparktest.run_fields import lacks_message, last_line, run_fields

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Run
    from sparktest.kubectl import Clusters


# To find one that is not blank.
TAIL_LINES = 10
# The longest of the usual labels, so that consecutive blocks are aligned.
LABEL_WIDTH = len("stored log")


class Fact(NamedTuple):
    """A label and what there is to say; a value of None or "" is not shown."""

    label: str
    value: str | None


@click.command("show")
@click.argument("references", metavar="RUN...", nargs=-1, required=True, shell_complete=RUN)
@output_option()
@uses_api
def show_run(client: "ApiClient", references: tuple[str, ...], output: str) -> None:
    """Show all about runs.

    What was run, what became of it, where its log is, and the kubectl commands of its objects.
    """
    named = [find_run(client, reference) for reference in references]
    if output == "table":
        now = datetime.now(UTC)
        clusters = known_clusters(client)
        for index, run in enumerate(named):
            _show_fields(client, run, now, clusters, "\n" if index else "")
    else:
        show(named, columns(), output, one=len(named) == 1)


def _show_fields(
    client: "ApiClient", run: "Run", now: datetime, clusters: "Clusters", before: str
) -> None:
    from sparktest import kubectl

    line = ""
    if run.failure and run.log.bytes and lacks_message(run.failure):
        line = last_line(client.get_log(run.id, tail=TAIL_LINES))
    fields = [Fact(*each) for each in run_fields(run, now, last_log_line=line).items()]
    commands = [
        Fact("stored log", f"sparktest logs {run.id}"),
        Fact("note", clusters.warning(run)),
        *(Fact(*each) for each in kubectl.commands(run, target=clusters.target(run))),
    ]
    text = [*lines(fields, {"Status": COLOURS.get(run.status)}), "", *lines(commands)]
    click.echo(before + "\n".join(text), color=coloured())


def lines(rows: Sequence[Fact], colours: Mapping[str, str | None] | None = None) -> list[str]:
    """Return the text lines of labels and values, aligned; rows without a value are left out.

    `colours`: the colour of a label's value.
    """
    width = max(LABEL_WIDTH, *(len(label) for label, _ in rows))
    shown: list[str] = []
    for label, value in rows:
        colour = (colours or {}).get(label)
        for index, line in enumerate((value or "").splitlines()):
            text = click.style(line, fg=colour) if colour else line
            shown.append(f"{'' if index else label:<{width}}   {text}")
    return shown
