"""The questions before a run is stopped or deleted. Pure."""

from typing import NamedTuple

from sparktest import kubectl
from sparktest.domain import Origin, Run
from sparktest.tui import text


class Question(NamedTuple):
    """What would happen, to which run; `by_hand` introduces commands for a shell."""

    question: str
    facts: list[str]
    by_hand: str
    commands: list[str]
    yes: str


def cancel(run: Run) -> Question | str:
    """The question before a run is stopped, or why it cannot be."""
    if run.status.final:
        return f"{text.one_line(run.name)} has ended: {text.LOOKS[run.status].word}"
    if run.cancel_requested_at:
        return f"{text.one_line(run.name)} was asked to stop; the controller will see to it"
    facts = [*_which(run), "Its container gets TERM; its log is kept."]
    return Question(
        "Cancel this run?",
        facts,
        "The same in a shell:",
        [f"sparktest cancel {run.id}"],
        "Yes, cancel it",
    )


def delete(run: Run, target: kubectl.Target) -> Question | str:
    """The question before a run is deleted, or why it cannot be."""
    if not run.status.final:
        return f"{text.one_line(run.name)} has not ended; cancel it first (c)"
    facts = [*_which(run), "The run, its log and its Job go for good."]
    if run.origin is not Origin.CRD:
        return Question(
            "Delete this run?",
            facts,
            "Its Job alone:",
            [kubectl.delete(run, target=target)],
            "Yes, delete it",
        )
    facts.append("The TestRun object stays.")
    return Question(
        "Delete this run?",
        facts,
        "To delete the TestRun too:",
        [kubectl.delete(run, target=target)],
        "Yes, delete it",
    )


def _which(run: Run) -> list[str]:
    source = f"TestRun {run.k8s_ref.name}" if run.k8s_ref else "the API"
    look = text.LOOKS[run.status]
    return [
        text.one_line(run.name),
        f"{look.glyph} {look.word} · from {source} · namespace {text.namespace(run)}",
        run.id,
    ]
