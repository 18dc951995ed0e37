"""How values read on the screen: words, spans of time, texts cut to cells. Pure."""

from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from sparktest.domain import Origin, Run, Status
from sparktest.times import format_age, format_duration

ELLIPSIS = "…"
NOTHING = "–"
# Not $text-muted: inside a text that is as bright as the rest.
QUIET = "$foreground 60%"
BADGE = "bold white on #1f6feb"


class Look(NamedTuple):
    """How a status is told apart: a glyph of one cell and a word; colour only comes on top."""

    glyph: str
    word: str
    style: str
    colour: str


LOOKS = {
    Status.PENDING: Look("○", "pending", "pending", QUIET),
    Status.RUNNING: Look("●", "running", "running", "$text-primary"),
    Status.SUCCEEDED: Look("✓", "succeeded", "succeeded", "$text-success"),
    Status.FAILED: Look("✗", "failed", "failed", "$text-error"),
    Status.TIMED_OUT: Look("◷", "timed out", "timed-out", "$text-error"),
    Status.CANCELLED: Look("⊘", "cancelled", "cancelled", "$text-warning"),
}


def one_line(text: str) -> str:
    """The text on one line: breaks, tabs and runs of blanks become one blank."""
    return text if text.isprintable() and "  " not in text else " ".join(text.split())


def fit(text: str, width: int) -> str:
    """The text in exactly `width` terminal cells: filled with blanks, or cut with an ellipsis."""
    if text.isascii():
        if len(text) <= width:
            return text.ljust(width)
        return text[: width - 1] + ELLIPSIS if width else ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + ELLIPSIS if width else ""


def cut(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis where it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + ELLIPSIS


def moment(at: datetime | None, now: datetime) -> str:
    """When it was, in the reader's own time zone, and how long ago."""
    if at is None:
        return NOTHING
    ago = format_age((now - at).total_seconds())
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S} ({ago} ago)"


def duration(run: Run, now: datetime) -> str:
    """How long the run took, or has been running; a dash before its container started."""
    if run.status.final and run.duration is not None:
        return format_duration(run.duration)
    if run.started_at is None:
        return NOTHING
    return format_duration(((run.finished_at or now) - run.started_at).total_seconds())


def definition(run: Run) -> str:
    """The name of the run's definition, its id where the name is not known, or a dash."""
    return one_line(run.definition_name or run.test_definition_id or NOTHING)


def namespace(run: Run) -> str:
    """The namespace that the run's Job is in."""
    return one_line(run.k8s_ref.namespace if run.k8s_ref else run.namespace)


def searchable(run: Run) -> str:
    """What a search looks through, in lower case: every column, the ids and the TestRun's name."""
    parts = [
        LOOKS[run.status].word,
        "crd" if run.origin is Origin.CRD else "api",
        run.name,
        definition(run),
        namespace(run),
        duration(run, run.created_at) if run.status.final else "",
        f"{run.created_at:%Y-%m-%d}",
        run.id,
        run.job_name,
        run.k8s_ref.name if run.k8s_ref else "",
        run.image,
        run.failure.reason if run.failure else run.status_reason or "",
    ]
    return "\n".join(parts).casefold()
