"""What stands over and instead of the list: counts, filters, and why there is nothing. Pure."""

import shlex

from textual.content import Content

from sparktest.domain import Status
from sparktest.kubectl import Target
from sparktest.tui import columns, text
from sparktest.tui.feed import Feed, Outage
from sparktest.tui.state import Counts, Filter

APPLY = ("kubectl", "apply", "-f", "crd/examples/testrun.yaml")
GAP = "  "
RUN = "sparktest run --image busybox:1.35 -- echo hello"


def counts(counted: Counts, *, whole: bool, width: int) -> Content:
    """The pass rate, the failed, the running, all, and what else fits in `width` cells.

    `whole`: the whole list has been read.
    """
    total = f"{counted.total:,}{'' if whole else '+'} run{'' if counted.total == 1 else 's'}"
    passed = _count(Status.SUCCEEDED, f"{counted.passed:,} of {counted.rated:,} passed")
    failed = _count(Status.FAILED, f"{counted.failed:,} failed")
    running = _count(Status.RUNNING, f"{counted.running:,} running")
    parts = [Content.styled("SparkTest", "bold $text-primary"), passed, failed, running]
    parts.append(Content.styled(total, "bold"))
    more = (
        (Status.TIMED_OUT, counted.timed_out, 3),
        (Status.PENDING, counted.pending, -1),
        (Status.CANCELLED, counted.cancelled, -1),
    )
    for status, number, place in more:
        count = _count(status, f"{number:,} {text.LOOKS[status].word}")
        if number and sum(len(part) + len(GAP) for part in [*parts, count]) <= width:
            parts.insert(place, count)
    return Content(GAP).join(parts)


def filters(wanted: Filter, counted: Counts) -> Content:
    """What the list is limited to, and how many of all runs that shows."""
    parts = [
        _filter("origin", wanted.origin),
        _filter("status", wanted.status and text.LOOKS[wanted.status].word),
        _filter("ns", wanted.namespace and text.one_line(wanted.namespace)),
    ]
    if wanted.active:
        parts.append(Content.styled(f"{counted.shown:,} of {counted.total:,} shown", "bold"))
    if wanted.search.strip():
        parts.append(_filter("search", f"“{wanted.search.strip()}”"))
    return Content("  ").join(parts)


def link(feed: Feed, address: str, width: int) -> Content:
    """Whether what is shown is live, and of which API."""
    state, style = "live", "$text-success"
    if feed.outage:
        state, style = "away", "$text-error"
    elif not feed.loaded:
        state, style = "loading", "$text-warning"
    narrow = f"narrow: {width} columns, some hidden  " if width < columns.ALL_COLUMNS else ""
    shown = Content.assemble((narrow, "$text-warning"), ("● ", style), state)
    return shown if width < columns.ROOMY else Content.assemble(shown, f"  {address}")


def nothing(
    counted: Counts, feed: Feed, wanted: Filter, address: str, target: Target
) -> Content | None:
    """What to say where no run is shown, with what to do next; None where there are runs."""
    if counted.shown:
        return None
    if counted.total:
        return _say("No run matches.", f"{_described(wanted)}", "esc shows all runs again", "")
    if feed.outage:
        return _away(feed.outage, address)
    if not feed.loaded:
        return _say("Loading runs …", address, "", "")
    apply = shlex.join([*APPLY, *target.options])
    return _say("No runs yet.", "Apply a TestRun:", apply, f"or without one:\n\n{RUN}")


def _away(outage: Outage, address: str) -> Content:
    return _say("The runs cannot be read.", address, outage.advice, "r tries again now")


def _say(headline: str, why: str, command: str, rest: str) -> Content:
    parts = [(headline, "bold"), (f"\n\n{why}", text.QUIET)]
    if command:
        parts.append((f"\n\n{command}", "$text-primary"))
    if rest:
        parts.append((f"\n\n{rest}", text.QUIET))
    return Content.assemble(*parts)


def _described(wanted: Filter) -> str:
    said = [
        f"origin {wanted.origin}" if wanted.origin else "",
        f"status {text.LOOKS[wanted.status].word}" if wanted.status else "",
        f"namespace {text.one_line(wanted.namespace)}" if wanted.namespace else "",
        f"search “{wanted.search.strip()}”" if wanted.search.strip() else "",
    ]
    return ", ".join(filter(None, said))


def _count(status: Status, words: str) -> Content:
    look = text.LOOKS[status]
    return Content.styled(f"{look.glyph} {words}", look.colour)


def _filter(label: str, value: str | None) -> Content:
    return Content.assemble(
        (f"{label} ", text.QUIET), (value or "all", "bold $text-accent" if value else "")
    )
