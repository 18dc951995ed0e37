"""ConfirmScreen: asks before a run is cancelled or deleted."""

from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from sparktest import kubectl
from sparktest.domain import Origin, Run
from sparktest.tui import text
from sparktest.tui.screens.dialog import Dialog


class Question(NamedTuple):
    """A question about one run, with the equivalent shell command."""

    title: str
    details: list[str]
    command_title: str
    command: str
    confirm_label: str


def cancel_question(run: Run) -> Question | str:
    """Return the question to ask before cancelling, or the reason why it is impossible."""
    if run.status.final:
        return f"{text.one_line(run.name)} has already ended: {text.STATUS_STYLES[run.status].word}"
    if run.cancel_requested_at:
        return f"{text.one_line(run.name)} is already being cancelled"
    return Question(
        "Cancel this run?",
        [*_description(run), "Its container receives SIGTERM; its log is kept."],
        "The same in a shell:",
        f"sparktest cancel {run.id}",
        "Yes, cancel it (y)",
    )


def delete_question(run: Run, clusters: kubectl.Clusters) -> Question | str:
    """Return the question to ask before deleting, or the reason why it is impossible."""
    if not run.status.final:
        return f"{text.one_line(run.name)} has not ended; cancel it first (c)"
    details = [*_description(run), "The run, its log and its Job are deleted for good."]
    if run.origin is Origin.CRD:
        details.append("The TestRun object is kept.")
    title = "To delete the TestRun too" if run.origin is Origin.CRD else "To delete only its Job"
    warning = clusters.warning(run)
    return Question(
        "Delete this run?",
        details,
        f"{title} ({warning}):" if warning else f"{title}:",
        kubectl.delete(run, target=clusters.target(run)),
        "Yes, delete it (y)",
    )


def _description(run: Run) -> list[str]:
    source = f"TestRun {run.k8s_ref.name}" if run.k8s_ref else "the API"
    style = text.STATUS_STYLES[run.status]
    return [
        text.one_line(run.name),
        f"{style.glyph} {style.word} · from {source} · namespace {text.namespace(run)}",
        run.id,
    ]


class ConfirmScreen(Dialog[bool]):
    """A dialog that returns True when the user confirms; the focus starts on No."""

    BINDINGS: ClassVar = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("escape,n", "dismiss(False)", "No"),
        Binding("left,right,h,l", "app.focus_next", "", show=False),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Create the question, its details, its command and the buttons."""
        question = self._question
        with Vertical(classes="dialog"):
            yield Static(Content.styled(question.title, "bold"), classes="dialog-title")
            yield Static(Content("\n".join(question.details)))
            yield Static(Content(question.command_title), classes="dialog-quiet")
            yield Static(Content(question.command), classes="dialog-command")
            with Horizontal(classes="dialog-buttons"):
                yield Button(Content("No (n)"), id="no", compact=True)
                yield Button(
                    Content(question.confirm_label), id="yes", variant="error", compact=True
                )

    def on_mount(self) -> None:
        """Focus No, so that a stray Enter changes nothing."""
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.dismiss(message.button.id == "yes")
