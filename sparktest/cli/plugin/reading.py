"""Commands of the plugin that read: list and describe."""

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from sparktest.cli.exits import warn
from sparktest.cli.output import coloured, field_lines, output_option
from sparktest.cli.plugin.candidates import TESTRUN
from sparktest.cli.plugin.place import Object, Place, uses_cluster
from sparktest.cli.plugin.show import show_testruns
from sparktest.cli.plugin.testrun import STATUSES, TestRun, moment, plain_name, section
from sparktest.cli.run_output import COLOURS
from sparktest.errors import ForbiddenError
from sparktest.times import format_age

# A label and a value.
Field = tuple[str, str | None]
LAST_EVENTS = 10


@click.command("list")
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=TESTRUN)
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True)
@output_option()
@uses_cluster
def list_(place: Place, names: tuple[str, ...], everywhere: bool, output: str) -> None:
    """List TestRuns, newest first, or those of these names."""
    if names and everywhere:
        raise click.UsageError("Give names or --all-namespaces, not both.")
    if names:
        found = [TestRun(place.testrun(plain_name(name))) for name in names]
    else:
        found = [TestRun(each) for each in place.testruns(everywhere=everywhere)]
    if not found and output in ("table", "wide"):
        warn(f"no TestRuns {'anywhere' if everywhere else f'in namespace {place.namespace}'}")
        return
    show_testruns(found, output, one=len(names) == 1, everywhere=everywhere)


@click.command("describe")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=TESTRUN)
@uses_cluster
def describe(place: Place, names: tuple[str, ...]) -> None:
    """Show all about TestRuns, with their Events and the commands that go on from there."""
    now = datetime.now(UTC)
    for index, name in enumerate(names):
        testrun = TestRun(place.testrun(plain_name(name)))
        colour = COLOURS.get(STATUSES.get(testrun.phase, ""))
        said = [*field_lines(list(facts(testrun, now)), {"Phase": colour}), ""]
        events = _events(place, testrun)
        if events:
            told = [(f"{age_of(each, now)} ago", _event(each)) for each in events]
            said += ["Events", *(f"  {line}" for line in field_lines(told)), ""]
        said += field_lines(commands(testrun))
        click.echo("\n" * bool(index) + "\n".join(said), color=coloured())


def facts(testrun: TestRun, now: datetime) -> Iterator[Field]:
    """Labels and values, in the order in which they are read."""
    status, spec = testrun.status, testrun.spec
    yield ("Name", f"{testrun.namespace}/{testrun.name}")
    yield ("Phase", testrun.phase)
    yield ("Why", _why(testrun))
    yield ("Runs", testrun.what)
    yield ("Commands", "\n".join(map(str, spec.get("commands") or [])))
    # Names only: a value may be a secret.
    yield ("Env", ", ".join(sorted(section(spec, "env"))))
    yield ("Run id", testrun.run_id)
    yield ("Job", testrun.job_name)
    yield ("Created", f"{age_of(testrun.metadata, now)} ago")
    yield ("Started", status.get("startedAt"))
    yield ("Finished", status.get("finishedAt"))
    yield ("Duration", testrun.took(now))
    for each in status.get("conditions") or []:
        said = f"{each.get('status')} {each.get('reason') or ''}".rstrip()
        yield (str(each.get("type")), said)


def commands(testrun: TestRun) -> list[Field]:
    """What a person may do next, as commands to paste."""
    import shlex

    name, place = shlex.quote(testrun.name), shlex.quote(testrun.namespace)
    after = "logs" if testrun.ended else "logs -f"
    found: list[Field] = [("Log", f"kubectl sparktest {after} {name} -n {place}")]
    if not testrun.ended:
        found.append(("Cancel", f"kubectl sparktest cancel {name} -n {place}"))
    if testrun.run_id:
        run_id = shlex.quote(testrun.run_id)
        found.append(("Stored log", f"sparktest logs {run_id}"))
    found.append(("Delete", f"kubectl delete testruns.sparktest.dev {name} -n {place}"))
    return found


def age_of(document: Object, now: datetime) -> str:
    """How long ago the object or the Event was."""
    keys = ("lastTimestamp", "eventTime", "creationTimestamp")
    times = filter(None, (moment(document.get(key)) for key in keys))
    at = next(times, None)
    return format_age((now - at).total_seconds()) if at else "?"


def _why(testrun: TestRun) -> str:
    failure, status = testrun.failure, testrun.status
    if not failure:
        return ": ".join(map(str, filter(None, (testrun.reason, status.get("message")))))
    said = f"{failure.get('class')}, {failure.get('reason')}"
    if failure.get("message"):
        return f"{said}: {failure['message']}"
    return f"{said}: exit code {failure['exitCode']}" if "exitCode" in failure else said


def _events(place: Place, testrun: TestRun) -> list[Object]:
    """The last Events of the TestRun; none for whom may not read them."""
    from sparktest.kube.cluster import EVENTS
    from sparktest.sanitize import clean

    selector = f"involvedObject.kind=TestRun,involvedObject.uid={testrun.uid}"
    try:
        found = place.cluster.list(EVENTS, testrun.namespace, field_selector=selector).items
    except ForbiddenError:
        return []
    every: list[Object] = clean(found)
    return sorted(every, key=lambda each: str(each.get("lastTimestamp")))[-LAST_EVENTS:]


def _event(event: Object) -> str:
    return f"{event.get('type')} {event.get('reason')}: {event.get('message')}"
