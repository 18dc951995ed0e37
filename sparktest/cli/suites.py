"""Commands about suites and their executions."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import click

from sparktest.cli import lookup, options
from sparktest.cli.completion import DEFINITION, SUITE
from sparktest.cli.context import uses_api
from sparktest.cli.exits import Exit, warn
from sparktest.cli.lookup import find_definition, suite_run_id
from sparktest.cli.output import Column, output_option, show
from sparktest.cli.references import Reference
from sparktest.cli.resources import Body, Kind, add_commands
from sparktest.cli.run_output import COLOURS
from sparktest.cli.waiting import report_outcome, wait_until
from sparktest.client import ApiClient
from sparktest.domain_suites import ExecutionMode, Suite, SuiteRun
from sparktest.times import format_age, format_duration

FIELD_OPTIONS = (
    click.option("--name", metavar="NAME", help="The name of the suite."),
    click.option(
        "--definition",
        "references",
        multiple=True,
        metavar="DEFINITION",
        help="A definition of the suite; repeatable, in the order of execution.",
        shell_complete=DEFINITION,
    ),
    click.option(
        "--mode",
        type=click.Choice([each.value for each in ExecutionMode]),
        help="One after the other (default), or all at once.",
    ),
    click.option(
        "--stop-on-failure/--continue-on-failure",
        default=None,
        help="When a run of a sequential suite fails: cancel the rest, or go on (default).",
    ),
    click.option("--description", metavar="TEXT", help="What the suite is for."),
)
# From the best outcome to the worst: a failed test is hidden by nothing but an unknown result.
SEVERITY = (Exit.PASSED, Exit.CANCELLED, Exit.TEST_FAILED, Exit.TIMED_OUT, Exit.INFRA)


@click.group("suites")
def suites() -> None:
    """Manage and run suites, which are sets of definitions."""


@suites.command("run")
@click.argument("reference", metavar="SUITE", shell_complete=SUITE)
@options.wait_option
@output_option("name")
@uses_api
def run(client: ApiClient, reference: str, wait: bool, output: str) -> Exit:
    """Run a suite, and print the id of the suite run.

    With --wait, the exit code is that of the worst run: from the best, 0 passed, 5 cancelled,
    1 the test failed, 4 timed out, 3 infrastructure or configuration failed.
    """
    started = client.run_suite(KIND.find(client, reference).id)
    show([started], suite_run_columns(), output, one=True)
    return follow_suite(client, started) if wait else Exit.PASSED


@suites.command("runs")
@click.argument("reference", metavar="[SUITE]", required=False, shell_complete=SUITE)
@click.option(
    "--limit",
    type=options.WholeNumber(1, 1000),
    default=20,
    show_default=True,
    metavar="NUMBER",
    help="How many.",
)
@output_option()
@uses_api
def runs(client: ApiClient, reference: str | None, limit: int, output: str) -> None:
    """List suite runs, newest first, of one suite or of all.

    With a name also those of deleted suites that had it.
    """
    named = [reference] if reference else []
    page = client.suite_runs.list_page(suite_name=named, limit=limit)
    if reference and not page.suite_runs:
        suite_id = lookup.suite_id(client, reference)
        page = client.suite_runs.list_page(suite_id=[suite_id], limit=limit)
    show(page.suite_runs, suite_run_columns(), output)


@suites.command("cancel")
@click.argument("ids", metavar="SUITE_RUN...", nargs=-1, required=True)
@uses_api
def cancel(client: ApiClient, ids: tuple[str, ...]) -> None:
    """Cancel suite runs, by id or the beginning of one.

    Runs that wait end at once, the others when they have stopped.
    """
    for key in ids:
        cancelled = client.suite_runs.cancel(suite_run_id(client, key))
        warn(f"{cancelled.suite_name} ({cancelled.id}) is being cancelled")


def follow_suite(client: ApiClient, started: SuiteRun) -> Exit:
    """Wait until the suite run has ended, print how each run ended, and return the exit code."""
    try:
        ended = wait_until(
            started,
            refresh=lambda known: client.suite_runs.get(known.id),
            condition=lambda known: known.status.final,
            progress=lambda known: "" if known.status.final else _progress(known),
        )
    except KeyboardInterrupt:
        warn(f"{started.suite_name} continues; see: sparktest suites cancel {started.id}")
        raise
    codes = [report_outcome(each) for each in ended.runs or ()]
    warn(f"{ended.suite_name} {ended.status.value.replace('_', ' ')}: {_counts(ended)}")
    return worst(codes)


def worst(codes: Iterable[Exit]) -> Exit:
    """Return the exit code of the worst outcome."""
    return max(codes, key=SEVERITY.index, default=Exit.PASSED)


def suite_run_columns() -> list[Column[SuiteRun]]:
    """Return the columns of a table of suite runs, with ages until now."""
    now = datetime.now(UTC)
    return [
        Column("ID", lambda each: each.id, min_width=8, is_id=True),
        Column("SUITE", lambda each: each.suite_name, min_width=8),
        Column(
            "STATUS", lambda each: each.status.value, colour=lambda each: COLOURS.get(each.status)
        ),
        Column("RUNS", _counts, min_width=10),
        Column("DURATION", _duration),
        Column("AGE", lambda each: format_age(now - each.created_at)),
        Column("MODE", lambda each: each.execution_mode.value, wide=True),
        Column("SCHEDULE", lambda each: each.schedule_id, wide=True),
    ]


def suite_columns(client: ApiClient) -> list[Column[Suite]]:
    """Return the columns of a table of suites, with ages until now."""
    now = datetime.now(UTC)

    @cache
    def names() -> dict[str, str]:
        return {each.id: each.name for each in client.definitions.list()}

    def members(suite: Suite) -> str:
        return ", ".join(names().get(each, each) for each in suite.test_definition_ids)

    return [
        Column("ID", lambda suite: suite.id, min_width=8, is_id=True),
        Column("NAME", lambda suite: suite.name, min_width=8),
        Column("MODE", lambda suite: suite.execution_mode.value),
        Column("DEFINITIONS", members, min_width=12),
        Column("AGE", lambda suite: format_age(now - suite.created_at)),
        Column("STOPS", lambda suite: "on failure" if suite.stop_on_failure else None, wide=True),
        Column("LABELS", lambda suite: ",".join(suite.labels), wide=True),
        Column("DESCRIPTION", lambda suite: suite.description, wide=True),
    ]


def _fields(
    client: ApiClient,
    *,
    references: tuple[str, ...],
    mode: str | None,
    stop_on_failure: bool | None,
    **fields: Any,
) -> Body:
    ids = [find_definition(client, reference).id for reference in references]
    body = options.without_empty(testDefinitionIds=ids, executionMode=mode, **fields)
    return body if stop_on_failure is None else body | {"stopOnFailure": stop_on_failure}


def _progress(suite_run: SuiteRun) -> str:
    return f"{suite_run.suite_name} {suite_run.status.value}: {_counts(suite_run)}"


def _counts(suite_run: SuiteRun) -> str:
    counts = suite_run.counts.items()
    return ", ".join(f"{count} {status.value.replace('_', ' ')}" for status, count in counts)


def _duration(suite_run: SuiteRun) -> str | None:
    if suite_run.started_at is None or suite_run.finished_at is None:
        return None
    return format_duration((suite_run.finished_at - suite_run.started_at).total_seconds())


KIND = Kind(
    noun="suite",
    calls=lambda client: client.suites,
    columns=suite_columns,
    completer=SUITE,
    field_options=FIELD_OPTIONS,
    fields=_fields,
    references=(
        Reference(
            "definitions", "testDefinitionIds", "definition", lambda client: client.definitions
        ),
    ),
    kept="their runs are kept",
)
add_commands(suites, KIND)
