"""The header above the list of runs, and the text in place of an empty list. Pure."""

from textual.content import Content

from sparktest import kubectl
from sparktest.domain import Status
from sparktest.kubectl import Target
from sparktest.run_poller import RunPoller
from sparktest.tui import columns, text
from sparktest.tui.outage import advice
from sparktest.tui.state import Filter, RunStore

EXAMPLE = "sparktest crd --example testrun"
RUN_COMMAND = "sparktest run --image busybox:1.35 -- echo hello"
GAP = "  "


def counts(store: RunStore, *, loaded: bool, width: int) -> Content:
    """Return the counts line: pass rate, failed, running, total, and what else fits in `width`.

    The total has a plus until the whole list is `loaded`. Runs without a verdict (pending, running,
    cancelled) do not count in the pass rate.
    """
    by = store.status_counts
    total = by.total()
    rated = by[Status.SUCCEEDED] + by[Status.FAILED] + by[Status.TIMED_OUT]
    parts = [
        Content.styled("SparkTest", "bold $text-primary"),
        _count(Status.SUCCEEDED, f"{by[Status.SUCCEEDED]:,} of {rated:,} passed"),
        _count(Status.FAILED, f"{by[Status.FAILED]:,} failed"),
        _count(Status.RUNNING, f"{by[Status.RUNNING]:,} running"),
        Content.styled(f"{total:,}{'' if loaded else '+'} run{'' if total == 1 else 's'}", "bold"),
    ]
    for status, position in ((Status.TIMED_OUT, 3), (Status.PENDING, -1), (Status.CANCELLED, -1)):
        count = _count(status, f"{by[status]:,} {text.STATUS_STYLES[status].word}")
        if by[status] and sum(len(part) + len(GAP) for part in [*parts, count]) <= width:
            parts.insert(position, count)
    return Content(GAP).join(parts)


def filters(store: RunStore) -> Content:
    """Return the values of the filter, and how many of all runs it shows."""
    values = _filter_values(store.filter)
    search = values.pop("search")
    parts = [_filter(label, value) for label, value in values.items()]
    if store.filter.is_active:
        shown = f"{len(store):,} of {store.status_counts.total():,} shown"
        parts.append(Content.styled(shown, "bold"))
    if search:
        parts.append(_filter("search", search))
    return Content(GAP).join(parts)


def connection_status(poller: RunPoller, address: str, width: int) -> Content:
    """Return the state of the connection, with the API's address on a wide terminal."""
    state, style = "live", "$text-success"
    if poller.error:
        state, style = "disconnected", "$text-error"
    elif not poller.loaded:
        state, style = "loading", "$text-warning"
    narrow = f"narrow: {width} columns, some hidden  " if width < columns.ALL_COLUMNS else ""
    shown = Content.assemble((narrow, "$text-warning"), ("● ", style), state)
    return shown if width < columns.WIDE else Content.assemble(shown, f"  {address}")


def empty_state(store: RunStore, poller: RunPoller, address: str, target: Target) -> Content | None:
    """Return why no run is shown and what to do next; None where runs are shown."""
    if len(store):
        return None
    if store.status_counts.total():
        values = _filter_values(store.filter).items()
        active = ", ".join(f"{label} {value}" for label, value in values if value)
        return _notice("No run matches.", active, "esc shows all runs again")
    if poller.error:
        return _notice("Cannot read the runs.", address, advice(poller.error), "r tries again now")
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


def _filter_values(active: Filter) -> dict[str, str]:
    """Return the label and value of each filter; "" for one that is not set."""
    search = active.search.strip()
    return {
        "origin": active.origin or "",
        "status": text.STATUS_STYLES[active.status].word if active.status else "",
        "ns": text.one_line(active.namespace or ""),
        "search": f"“{search}”" if search else "",
    }


def _count(status: Status, label: str) -> Content:
    style = text.STATUS_STYLES[status]
    return Content.styled(f"{style.glyph} {label}", style.colour)


def _filter(label: str, value: str) -> Content:
    return Content.assemble(
        (f"{label} ", text.QUIET), (value or "all", "bold $text-accent" if value else "")
    )
