"""The commands list and describe."""

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from sparktest import kubectl
from sparktest.cli.exits import warn
from sparktest.cli.logs import stored_log_command
from sparktest.cli.output import (
    Column,
    coloured,
    field_lines,
    output_option,
    show_document,
    show_table,
)
from sparktest.cli.plugin.context import KubeContext
from sparktest.cli.plugin.options import TESTRUN, uses_cluster
from sparktest.cli.plugin.testrun import KIND, TestRun
from sparktest.cli.run_output import COLOURS
from sparktest.errors import ForbiddenError
from sparktest.kube.fields import mapping
from sparktest.kube.resources import EVENTS
from sparktest.kube.views import parse_conditions, parse_event
from sparktest.run_fields import reason, run_duration, run_fields
from sparktest.sanitize import clean
from sparktest.times import format_age

# A label, and a value or None.
Field = tuple[str, str | None]
MAX_EVENTS = 10


@click.command("list")
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=TESTRUN)
@click.option("-A", "--all-namespaces", is_flag=True)
@output_option()
@uses_cluster
def list_(kube: KubeContext, names: tuple[str, ...], all_namespaces: bool, output: str) -> None:
    """List TestRuns, newest first, or only the named ones."""
    if names and all_namespaces:
        raise click.UsageError("Give names or --all-namespaces, not both.")
    if names:
        found = [kube.testrun(name) for name in names]
    else:
        found = kube.testruns(all_namespaces=all_namespaces)
    if not found and output in ("table", "wide"):
        warn("no TestRuns" if all_namespaces else f"no TestRuns in namespace {kube.namespace}")
        return
    show_testruns(found, output, one=len(names) == 1, all_namespaces=all_namespaces)


@click.command("describe")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=TESTRUN)
@uses_cluster
def describe(kube: KubeContext, names: tuple[str, ...]) -> None:
    """Show all fields of TestRuns, and their Events."""
    now = datetime.now(UTC)
    for index, name in enumerate(names):
        testrun = kube.testrun(name)
        lines = [*field_lines(fields(testrun, now), {"Status": COLOURS.get(testrun.status)}), ""]
        for title, entries in (
            ("Conditions", conditions(testrun)),
            ("Events", events(kube, testrun, now)),
        ):
            if entries:
                lines += [title, *(f"  {line}" for line in field_lines(entries)), ""]
        lines += field_lines(commands(kube, testrun))
        click.echo("\n" * bool(index) + "\n".join(lines), color=coloured())


def show_testruns(
    testruns: Sequence[TestRun], output: str, *, one: bool = False, all_namespaces: bool = False
) -> None:
    """Print the TestRuns in the order given, in an output format.

    JSON and YAML are a List as kubectl prints it, or the object itself with `one`.
    """
    if output in ("json", "yaml"):
        items = [each.object for each in testruns]
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        show_document(items[0] if one else listed, output)
    elif output == "name":
        for each in testruns:
            click.echo(f"{KIND}/{each.name}")
    else:
        show_table(testruns, columns(all_namespaces=all_namespaces), output)


def columns(*, all_namespaces: bool) -> list[Column[TestRun]]:
    """Return the columns of `kubectl get testruns`, with ages and durations until now."""
    now = datetime.now(UTC)
    namespace = Column[TestRun]("NAMESPACE", lambda each: each.namespace, min_width=6)
    return [
        *([namespace] if all_namespaces else []),
        Column("NAME", lambda each: each.name, min_width=12),
        Column(
            "PHASE", lambda each: each.status.phase, colour=lambda each: COLOURS.get(each.status)
        ),
        Column("DEFINITION", lambda each: each.subject, min_width=8),
        Column("REASON", reason, min_width=6),
        Column("DURATION", lambda each: run_duration(each, now)),
        Column("AGE", lambda each: format_age(now - each.created_at)),
        Column("CLASS", lambda each: each.failure.class_ if each.failure else None, wide=True),
        Column("EXIT CODE", _exit_code, wide=True),
        Column("RUN", lambda each: each.id, wide=True),
        Column("JOB", lambda each: each.job_name, wide=True),
    ]


def _exit_code(testrun: TestRun) -> str | None:
    code = testrun.failure.exit_code if testrun.failure else None
    return None if code is None else str(code)


def fields(testrun: TestRun, now: datetime) -> list[Field]:
    """Return the labels and values of a TestRun's fields, in reading order."""
    found = run_fields(testrun, now)
    # Only SparkTest knows the stored log, and the timeout where the TestRun has none.
    del found["Log"]
    if "timeoutSeconds" not in mapping(testrun.object, "spec"):
        del found["Timeout"]
    return list(found.items())


def conditions(testrun: TestRun) -> list[Field]:
    """Return the type of each condition, and its status with the reason."""
    found = parse_conditions(mapping(testrun.object, "status"))
    return [(kind, f"{each.status} {each.reason}") for kind, each in found.items()]


def events(kube: KubeContext, testrun: TestRun, now: datetime) -> list[Field]:
    """Return age and text of the last Events; none when reading Events is forbidden."""
    selector = f"involvedObject.kind=TestRun,involvedObject.uid={testrun.uid}"
    try:
        found = kube.cluster.list(EVENTS, testrun.namespace, field_selector=selector).items
    except ForbiddenError:
        return []
    seen = [(parse_event(each).seen_at or testrun.created_at, each) for each in clean(found)]
    return [
        (
            f"{format_age(now - at)} ago",
            f"{event.get('type')} {event.get('reason')}: {event.get('message')}",
        )
        for at, event in sorted(seen, key=lambda pair: pair[0])[-MAX_EVENTS:]
    ]


def commands(kube: KubeContext, testrun: TestRun) -> list[Field]:
    """Return labels and commands to paste: what a user may do next."""
    arguments = kube.arguments(testrun)
    ended, failed = testrun.status.final, testrun.failed_init_container
    options = shlex.join(["-c", failed]) + " " if failed else "" if ended else "-f "
    return [
        ("Log", f"kubectl sparktest logs {options}{arguments}"),
        ("Cancel", None if ended else f"kubectl sparktest cancel {arguments}"),
        ("Stored log", stored_log_command(testrun.id, failed) if testrun.id else None),
        ("Delete", kubectl.delete(testrun, target=kube.target)),
    ]
