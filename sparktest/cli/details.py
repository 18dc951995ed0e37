"""The command show: everything about a run that a person asks for."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from sparktest.cli.candidates import RUN
from sparktest.cli.door import uses_api
from sparktest.cli.output import coloured, output_option, show
from sparktest.cli.references import find_run
from sparktest.cli.run_table import COLOURS, columns, took
from sparktest.spans import age, span

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Run

Fact = tuple[str, str | None]


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
        ("Name", run.name),
        ("Id", run.id),
        ("Status", _status(run, now)),
        ("Why", _why(run)),
        ("Source", f"TestRun {ref.namespace}/{ref.name}" if ref else run.origin.value),
        ("Definition", run.definition_name or run.test_definition_id),
        ("Rerun of", run.rerun_of),
        ("Job", f"{run.namespace}/{run.job_name}{'' if run.job_created else ' (not created)'}"),
        ("Image", run.image),
        ("Commands", "\n".join(run.commands)),
        ("Program", _quoted((*run.entrypoint, *run.args))),
        # Names only: a value may be a secret. JSON and YAML have the values.
        ("Env", ", ".join(sorted(run.env))),
        ("Account", run.service_account_name),
        ("Labels", ", ".join(f"{key}={value}" for key, value in run.labels.items())),
        ("Timeout", span(run.timeout_seconds)),
        ("Created", _moment(run.created_at, now)),
        ("Started", _moment(run.started_at, now)),
        ("Finished", _moment(run.finished_at, now)),
        ("Log", _log(run)),
    ]  # fmt: skip


def _show_facts(run: "Run", now: datetime, before: str) -> None:
    from sparktest import kubectl

    commands = [("Read log", f"sparktest logs {run.id}"), *kubectl.commands(run)]
    lines = [*_lines(facts(run, now), COLOURS.get(run.status)), "", *_lines(commands)]
    click.echo(before + "\n".join(lines), color=coloured())


def _lines(rows: Sequence[Fact], colour: str | None = None) -> list[str]:
    """A line a fact, its further lines below the first; no line where there is nothing."""
    room = max(len(label) for label, _ in rows) + 3
    said: list[str] = []
    for label, value in rows:
        for index, line in enumerate((value or "").splitlines()):
            shown = click.style(line, fg=colour) if label == "Status" else line
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
    if run.failure.exit_code is not None:
        said += f", exit code {run.failure.exit_code}"
    return f"{said}: {run.failure.message}" if run.failure.message else said


def _log(run: "Run") -> str:
    reason = f" ({run.log.reason})" if run.log.reason else ""
    return f"{run.log.state.value}{reason}, {run.log.bytes:,} bytes"


def _moment(at: datetime | None, now: datetime) -> str | None:
    if at is None:
        return None
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z} ({age((now - at).total_seconds())} ago)"


def _quoted(words: Sequence[str]) -> str:
    import shlex

    return shlex.join(words)
