"""The commands list and describe, and TestRuns on stdout."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from sparktest import kubectl
from sparktest.cli.exits import warn
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
from sparktest.cli.plugin.testrun import KIND, STATUSES, Object, TestRun, plain_name, section
from sparktest.cli.run_output import COLOURS
from sparktest.errors import ForbiddenError
from sparktest.kube.resources import EVENTS
from sparktest.sanitize import clean
from sparktest.times import format_age, parse_time

# A label and a value.
Field = tuple[str, str | None]
MAX_EVENTS = 10


@click.command("list")
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=TESTRUN)
@click.option("-A", "--all-namespaces", is_flag=True)
@output_option()
@uses_cluster
def list_(kube: KubeContext, names: tuple[str, ...], all_namespaces: bool, output: str) -> None:
    """List TestRuns, newest first, or those of these names."""
    if names and all_namespaces:
        raise click.UsageError("Give names or --all-namespaces, not both.")
    if names:
        found = [kube.testrun(plain_name(name)) for name in names]
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
    """Show all fields of TestRuns, their Events, and commands for what to do next."""
    now = datetime.now(UTC)
    for index, name in enumerate(names):
        testrun = kube.testrun(plain_name(name))
        lines = [*field_lines(list(fields(testrun, now)), {"Phase": _colour(testrun)}), ""]
        events = [(f"{_age(each, now)} ago", _event(each)) for each in _events(kube, testrun)]
        if events:
            lines += ["Events", *(f"  {line}" for line in field_lines(events)), ""]
        lines += field_lines(commands(kube, testrun))
        click.echo("\n" * bool(index) + "\n".join(lines), color=coloured())


def show_testruns(
    testruns: Sequence[TestRun], output: str, *, one: bool = False, all_namespaces: bool = False
) -> None:
    """Print the TestRuns in the order given, in an output format.

    JSON and YAML are a List as kubectl prints it, or the object itself when it is about `one`.
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
    """Return the columns of a table of TestRuns, those of `kubectl get`; durations until now."""
    now = datetime.now(UTC)
    namespace = Column[TestRun]("NAMESPACE", lambda each: each.namespace, min_width=6)
    return [
        *([namespace] if all_namespaces else []),
        Column("NAME", lambda each: each.name, min_width=12),
        Column("PHASE", lambda each: each.phase, colour=_colour),
        Column("DEFINITION", lambda each: each.definition, min_width=8),
        Column("REASON", lambda each: each.reason, min_width=6),
        Column("DURATION", lambda each: each.duration(now)),
        Column("AGE", lambda each: each.age(now)),
        Column("RUN", lambda each: each.run_id, wide=True),
        Column("JOB", lambda each: each.job_name, wide=True),
    ]


def fields(testrun: TestRun, now: datetime) -> Iterator[Field]:
    """Yield labels and values in reading order; None or "" where there is no value."""
    status, spec = testrun.status, testrun.spec
    yield "Name", f"{testrun.namespace}/{testrun.name}"
    yield "Phase", testrun.phase
    yield "Why", testrun.why()
    yield "Runs", testrun.definition
    yield "Commands", "\n".join(map(str, spec.get("commands") or []))
    # Names only: a value may be a secret.
    yield "Env", ", ".join(sorted(section(spec, "env")))
    yield "Run id", testrun.run_id
    yield "Job", testrun.job_name
    yield "Created", f"{testrun.age(now) or '?'} ago"
    yield "Started", status.get("startedAt")
    yield "Finished", status.get("finishedAt")
    yield "Duration", testrun.duration(now)
    for each in status.get("conditions") or []:
        yield str(each.get("type")), f"{each.get('status')} {each.get('reason') or ''}".rstrip()


def commands(kube: KubeContext, testrun: TestRun) -> list[Field]:
    """Return labels and commands to paste: what a user may do next."""
    arguments = kube.arguments(testrun)
    follow = "" if testrun.ended else "-f "
    found: list[Field] = [("Log", f"kubectl sparktest logs {follow}{arguments}")]
    if not testrun.ended:
        found.append(("Cancel", f"kubectl sparktest cancel {arguments}"))
    if testrun.run_id:
        found.append(("Stored log", f"sparktest logs {shlex.quote(testrun.run_id)}"))
    found.append(("Delete", f"kubectl delete {kubectl.TESTRUNS} {arguments}"))
    return found


def _colour(testrun: TestRun) -> str | None:
    return COLOURS.get(STATUSES.get(testrun.phase, ""))


def _events(kube: KubeContext, testrun: TestRun) -> list[Object]:
    """Return the last Events of the TestRun; none when we are not allowed to read them."""
    selector = f"involvedObject.kind=TestRun,involvedObject.uid={testrun.uid}"
    try:
        found = kube.cluster.list(EVENTS, testrun.namespace, field_selector=selector).items
    except ForbiddenError:
        return []
    events: list[Object] = clean(found)
    return sorted(events, key=lambda each: str(each.get("lastTimestamp")))[-MAX_EVENTS:]


def _age(event: Object, now: datetime) -> str:
    times = (parse_time(event.get(key)) for key in ("lastTimestamp", "eventTime"))
    at = next(filter(None, times), None) or parse_time(
        section(event, "metadata").get("creationTimestamp")
    )
    return format_age((now - at).total_seconds()) if at else "?"


def _event(event: Object) -> str:
    return f"{event.get('type')} {event.get('reason')}: {event.get('message')}"
