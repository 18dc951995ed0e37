"""Texts of a run for the screen, and functions that fit text to cells. Pure."""

from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from sparktest.domain import Origin, Run, Status
from sparktest.run_fields import run_duration

ELLIPSIS = "…"
NOTHING = "–"
# $text-muted is as bright as normal text inside a Content.
QUIET = "$foreground 60%"
BADGE_STYLE = "bold white on #1f6feb"
STARTED_FROM = "Started from TestRun CRD"


class StatusStyle(NamedTuple):
    """The look of a status: glyph (one cell) and word, readable without colour.

    `css_name` is part of a CSS class name; `colour` is a style of Textual's Content.
    """

    glyph: str
    word: str
    css_name: str
    colour: str


STATUS_STYLES = {
    Status.PENDING: StatusStyle("○", "pending", "pending", QUIET),
    Status.RUNNING: StatusStyle("●", "running", "running", "$text-primary"),
    Status.SUCCEEDED: StatusStyle("✓", "succeeded", "succeeded", "$text-success"),
    Status.FAILED: StatusStyle("✗", "failed", "failed", "$text-error"),
    Status.TIMED_OUT: StatusStyle("◷", "timed out", "timed-out", "$text-error"),
    Status.CANCELLED: StatusStyle("⊘", "cancelled", "cancelled", "$text-warning"),
}


def one_line(text: str) -> str:
    """Return the text on one line, with each run of white space as one space."""
    return text if text.isprintable() and "  " not in text else " ".join(text.split())


def fit(text: str, width: int) -> str:
    """Return the text in exactly `width` cells: padded, or cut with an ellipsis."""
    if text.isascii():
        if len(text) <= width:
            return text.ljust(width)
        return text[: width - 1] + ELLIPSIS if width else ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + ELLIPSIS if width else ""


def cut(text: str, length: int) -> str:
    """Return at most `length` characters of the text, with an ellipsis where it was cut."""
    return text if len(text) <= length else text[: length - 1] + ELLIPSIS


def duration(run: Run, now: datetime) -> str:
    """Return how long the run took, or has been running; a dash before its container started."""
    return run_duration(run, now) or NOTHING


def definition(run: Run) -> str:
    """Return the name of the run's definition, else its id, else a dash."""
    return one_line(run.definition_name or run.test_definition_id or NOTHING)


def namespace(run: Run) -> str:
    """Return the namespace of the run's Job."""
    return one_line(run.k8s_ref.namespace if run.k8s_ref else run.namespace)


def searchable(run: Run) -> str:
    """Return the casefolded text that a search covers: every column, ids and reasons."""
    parts = [
        STATUS_STYLES[run.status].word,
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
