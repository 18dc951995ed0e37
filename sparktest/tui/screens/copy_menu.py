"""CopyScreen: a menu of texts to copy from a run. TextScreen: a text to copy with the mouse."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sparktest import kubectl
from sparktest.domain import Run
from sparktest.tui.screens.dialog import Dialog
from sparktest.tui.text import QUIET, one_line

LABEL_WIDTH = 10
WARNING_ROWS = 4
# The chosen label and text; None when the menu was closed.
Choice = tuple[str, str] | None


class CopyScreen(Dialog[Choice]):
    """A menu that returns the chosen label and text."""

    BINDINGS: ClassVar = [
        Binding("escape,q", "dismiss(None)", "Close"),
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("y,enter", "choose", "Copy", show=False),
    ]

    def __init__(self, run: Run, *, clusters: kubectl.Clusters) -> None:
        super().__init__()
        self._choices = choices(run, clusters.target(run))
        self._warning = clusters.warning(run)
        if self._warning:
            self.fixed_rows += WARNING_ROWS
        self._list = OptionList(
            *(Option(_prompt(label, text)) for label, text in self._choices), compact=True
        )

    def compose(self) -> ComposeResult:
        """Create the menu."""
        with Vertical(classes="dialog") as box:
            box.border_subtitle = "⏎ copy · esc close"
            yield Static(Content.styled("Copy", "bold"), classes="dialog-title")
            yield self._list
            if self._warning:
                yield Static(Content(f"! {self._warning}"), classes="dialog-warning")

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.dismiss(self._choices[message.option_index])

    def action_cursor_down(self) -> None:
        """Move to the next choice."""
        self._list.action_cursor_down()

    def action_cursor_up(self) -> None:
        """Move to the previous choice."""
        self._list.action_cursor_up()

    def action_choose(self) -> None:
        """Copy the highlighted choice, or the first one while the menu is still opening."""
        self.dismiss(self._choices[self._list.highlighted or 0])


class TextScreen(Dialog[None]):
    """A text to select with the mouse, since no clipboard accepted it."""

    BINDINGS: ClassVar = [Binding("escape,q,enter", "dismiss(None)", "Close")]
    fixed_rows = Dialog.fixed_rows + 2

    def __init__(self, label: str, text: str) -> None:
        super().__init__()
        self._label = label
        self._text = text

    def compose(self) -> ComposeResult:
        """Create the text on separate lines, so that a mouse selection contains nothing else."""
        title = Content.styled(f"{self._label}: no clipboard accepted it", "bold")
        hint = Content("Select it with the mouse (in most terminals while Shift is held).")
        with Vertical(classes="dialog") as box:
            box.border_subtitle = "esc close"
            yield Static(title, classes="dialog-title")
            yield Static(hint, classes="dialog-quiet")
            with VerticalScroll(classes="dialog-text"):
                yield Static(Content(self._text))


def choices(run: Run, target: kubectl.Target) -> list[tuple[str, str]]:
    """Return the labels and texts to copy from a run, the most useful first."""
    found = kubectl.commands(run, target=target)
    found += [("run id", run.id), ("name", run.name), ("job", run.job_name), ("image", run.image)]
    if run.k8s_ref:
        found.append(("TestRun", run.k8s_ref.name))
    if run.failure:
        found.append(("failure", f"{run.failure.reason}: {run.failure.message}"))
    return [(label, text) for label, text in found if text]


def _prompt(label: str, text: str) -> Content:
    # A command needs no label.
    if text.startswith("kubectl "):
        return Content(text)
    return Content.assemble((label.ljust(LABEL_WIDTH), QUIET), one_line(text))
