"""CopyScreen: what can be copied of a run. TextScreen: a text that the clipboard did not take."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sparktest import kubectl
from sparktest.domain import Run
from sparktest.tui.text import QUIET, one_line

LABEL = 10
# The whole label, then a text; None: nothing was chosen.
Choice = tuple[str, str] | None


class CopyScreen(ModalScreen[Choice]):
    """The label and text that the person chose, None when nothing."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar = [
        Binding("escape,q", "dismiss(None)", "Close"),
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("y,enter", "choose", "Copy", show=False),
    ]

    def __init__(self, run: Run, *, target: kubectl.Target = kubectl.CURRENT) -> None:
        super().__init__()
        self._choices = choices(run, target)
        self._list = OptionList(
            *(Option(_prompt(label, text)) for label, text in self._choices), compact=True
        )

    def compose(self) -> ComposeResult:
        """The choices, the first of them under the cursor."""
        with Vertical(classes="dialog"):
            yield Static(Content.styled("Copy", "bold"), classes="dialog-title")
            yield self._list
            yield Static(Content("⏎ copy · esc close"), classes="dialog-quiet")

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.dismiss(self._choices[message.option_index])

    def action_cursor_down(self) -> None:
        """The next choice."""
        self._list.action_cursor_down()

    def action_cursor_up(self) -> None:
        """The choice before."""
        self._list.action_cursor_up()

    def action_choose(self) -> None:
        """Copy the choice under the cursor; before there is a cursor, the first."""
        self.dismiss(self._choices[self._list.highlighted or 0])


class TextScreen(ModalScreen[None]):
    """A text to copy by hand."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar = [Binding("escape,q,enter", "dismiss(None)", "Close")]

    def __init__(self, label: str, text: str) -> None:
        super().__init__()
        self._label = label
        self._text = text

    def compose(self) -> ComposeResult:
        """The text alone, so that a mouse can select it."""
        with Vertical(classes="dialog"):
            yield Static(
                Content.styled(f"{self._label}: no clipboard took it", "bold"),
                classes="dialog-title",
            )
            yield Static(
                Content("Select it with the mouse (in most terminals while Shift is held)."),
                classes="dialog-quiet",
            )
            with VerticalScroll(classes="dialog-text"):
                yield Static(Content(self._text))
            yield Static(Content("esc close"), classes="dialog-quiet")


def _prompt(label: str, text: str) -> Content:
    """A command speaks for itself; anything else needs its label."""
    if text.startswith("kubectl "):
        return Content(text)
    return Content.assemble((label.ljust(LABEL), QUIET), one_line(text))


def choices(run: Run, target: kubectl.Target) -> list[tuple[str, str]]:
    """The labels and texts that can be copied of a run, the most wanted first."""
    found = kubectl.commands(run, target=target)
    found += [("run id", run.id), ("name", run.name), ("job", run.job_name), ("image", run.image)]
    if run.k8s_ref:
        found.append(("TestRun", run.k8s_ref.name))
    if run.failure:
        found.append(("failure", f"{run.failure.reason}: {run.failure.message}"))
    return [(label, text) for label, text in found if text]
