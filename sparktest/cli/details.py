"""The command show: everything about a run that a person asks for."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import click

from sparktest.cli.candidates import RUN
from sparktest.cli.door import uses_api
from sparktest.cli.output import coloured, output_option, show
from sparktest.cli.references import find_run
from sparktest.cli.run_table import COLOURS, columns, took
from sparktest.times import format_age, format_duration

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Run


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
        for index, run in enumerate(named):
            _show_facts(run, now, "\n" if index else "")
    else:
        show(named, columns(), output, one=len(named) == 1)


def facts(run: "Run", now: datetime) -> list[Fact]:
    """Labels and values, in the order in which they are read; None where there is nothing."""
    ref = run.k8s_ref
    return [
        Fact("Name", run.name),
        Fact("Id", run.id),
        Fact("Status", _status(run, now)),
        Fact("Why", _why(run)),
        Fact("Source", f"TestRun {ref.namespace}/{ref.name}" if ref else run.origin.value),
        Fact("Definition", run.definition_name or run.test_definition_id),
        Fact("Rerun of", run.rerun_of),
        Fact("Job", f"{run.namespace}/{run.job_name}{'' if run.job_created else ' (not created)'}"),
        Fact("Image", run.display_image),
        Fact("Commands", "\n".join(run.commands)),
        Fact("Program", _quoted((*run.entrypoint, *run.args))),
        # Names only: a value may be a secret. JSON and YAML have the values.
        Fact("Env", ", ".join(sorted(run.env))),
        Fact("Account", run.service_account_name),
        Fact("Labels", ", ".join(f"{key}={value}" for key, value in run.labels.items())),
        Fact("Timeout", format_duration(run.timeout_seconds)),
        Fact("Created", _moment(run.created_at, now)),
        Fact("Started", _moment(run.started_at, now)),
        Fact("Finished", _moment(run.finished_at, now)),
        Fact("Log", _log(run)),
    ]


def _show_facts(run: "Run", now: datetime, before: str) -> None:
    from sparktest import kubectl

    commands = [Fact("stored log", f"sparktest logs {run.id}")]
    commands += [Fact(*each) for each in kubectl.commands(run)]
    said = [*lines(facts(run, now), {"Status": COLOURS.get(run.status)}), "", *lines(commands)]
    click.echo(before + "\n".join(said), color=coloured())


def lines(rows: Sequence[Fact], colours: Mapping[str, str | None] | None = None) -> list[str]:
    """A line a fact, its further lines below the first; no line where there is nothing."""
    room = max(len(label) for label, _ in rows) + 3
    painted = colours or {}
    said: list[str] = []
    for label, value in rows:
        for index, line in enumerate((value or "").splitlines()):
            shown = click.style(line, fg=painted[label]) if label in painted else line
            said.append(f"{'' if index else label:<{room}}{shown}")
    return said


def _status(run: "Run", now: datetime) -> str:
    text = run.status.value.replace("_", " ")
    duration = took(run, now)
    if duration:
        text += f" {'after' if run.status.final else 'for'} {duration}"
    if run.cancel_requested_at and not run.status.final:
        text += ", asked to stop"
    return text


def _why(run: "Run") -> str | None:
    """Whose fault it was, or what the run waits for."""
    if run.failure is None:
        return ": ".join(filter(None, (run.status_reason, run.status_message)))
    said = f"{run.failure.class_.value}, {run.failure.reason}"
    if run.failure.message:
        return f"{said}: {run.failure.message}"
    code = run.failure.exit_code
    return said if code is None else f"{said}: exit code {code}"


def _log(run: "Run") -> str:
    reason = f" ({run.log.reason})" if run.log.reason else ""
    return f"{run.log.state.value}{reason}, {run.log.bytes:,} bytes"


def _moment(at: datetime | None, now: datetime) -> str | None:
    if at is None:
        return None
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z} ({format_age((now - at).total_seconds())} ago)"


def _quoted(words: Sequence[str]) -> str:
    import shlex

    return shlex.join(words)
