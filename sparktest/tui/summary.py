"""The header over the list of runs, and what is shown instead of an empty list. Pure."""

from textual.content import Content

from sparktest import kubectl
from sparktest.domain import Status
from sparktest.kubectl import Target
from sparktest.run_poller import RunPoller
from sparktest.tui import columns, text
from sparktest.tui.outage import current_outage
from sparktest.tui.state import Counts, Filter

EXAMPLE = "sparktest crd --example testrun"
RUN_COMMAND = "sparktest run --image busybox:1.35 -- echo hello"
GAP = "  "


def counts(counted: Counts, *, loaded: bool, width: int) -> Content:
    """Return the counts line: pass rate, failed, running, total, and what else fits in `width`.

    `loaded`: the whole list has been read, so the total is final.
    """
    total = f"{counted.total:,}{'' if loaded else '+'} run{'' if counted.total == 1 else 's'}"
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
    for status, number, position in more:
        count = _count(status, f"{number:,} {text.STATUS_STYLES[status].word}")
        if number and sum(len(part) + len(GAP) for part in [*parts, count]) <= width:
            parts.insert(position, count)
    return Content(GAP).join(parts)


def filters(active: Filter, counted: Counts) -> Content:
    """Return the active filters, and how many of all runs they show."""
    parts = [
        _filter("origin", active.origin),
        _filter("status", active.status and text.STATUS_STYLES[active.status].word),
        _filter("ns", active.namespace and text.one_line(active.namespace)),
    ]
    if active.is_active:
        parts.append(Content.styled(f"{counted.shown:,} of {counted.total:,} shown", "bold"))
    if active.search.strip():
        parts.append(_filter("search", f"“{active.search.strip()}”"))
    return Content(GAP).join(parts)


def connection_status(poller: RunPoller, address: str, width: int) -> Content:
    """Return whether the list follows the API, with the API's address on a wide terminal."""
    state, style = "live", "$text-success"
    if poller.error:
        state, style = "disconnected", "$text-error"
    elif not poller.loaded:
        state, style = "loading", "$text-warning"
    narrow = f"narrow: {width} columns, some hidden  " if width < columns.ALL_COLUMNS else ""
    shown = Content.assemble((narrow, "$text-warning"), ("● ", style), state)
    return shown if width < columns.WIDE else Content.assemble(shown, f"  {address}")


def empty_state(
    counted: Counts, poller: RunPoller, active: Filter, address: str, target: Target
) -> Content | None:
    """Return why no run is shown and what to do next; None where runs are shown."""
    if counted.shown:
        return None
    if counted.total:
        return _notice("No run matches.", _description(active), "esc shows all runs again")
    if outage := current_outage(poller):
        return _notice("The runs cannot be read.", address, outage.advice, "r tries again now")
    if not poller.loaded:
        return _notice("Loading runs …", address)
    apply = kubectl.apply(EXAMPLE, target=target)
    return _notice("No runs yet.", "Apply a TestRun:", apply, f"or without one:\n\n{RUN_COMMAND}")


def _notice(headline: str, reason: str, command: str = "", rest: str = "") -> Content:
    parts = [(headline, "bold"), (f"\n\n{reason}", text.QUIET)]
    if command:
        parts.append((f"\n\n{command}", "$text-primary"))
    if rest:
        parts.append((f"\n\n{rest}", text.QUIET))
    return Content.assemble(*parts)


def _description(active: Filter) -> str:
    parts = [
        f"origin {active.origin}" if active.origin else "",
        f"status {text.STATUS_STYLES[active.status].word}" if active.status else "",
        f"namespace {text.one_line(active.namespace)}" if active.namespace else "",
        f"search “{active.search.strip()}”" if active.search.strip() else "",
    ]
    return ", ".join(filter(None, parts))


def _count(status: Status, label: str) -> Content:
    style = text.STATUS_STYLES[status]
    return Content.styled(f"{style.glyph} {label}", style.colour)


def _filter(label: str, value: str | None) -> Content:
    return Content.assemble(
        (f"{label} ", text.QUIET), (value or "all", "bold $text-accent" if value else "")
    )
