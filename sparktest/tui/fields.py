"""The fields, the failure and the log state of a run, as the run screen shows them. Pure."""

from datetime import datetime
from typing import NamedTuple

from sparktest.domain import FailureClass, LogState, Origin, Run, Status
from sparktest.run_fields import explain_status, lacks_message, run_fields
from sparktest.tui import text

OVERVIEW = ("Status", "Waits for", "ID", "Rerun of", "Definition", "Job")
# Shown elsewhere on the screen.
OMITTED = ("Name", "Why", "Source", "Log")
EXPLANATIONS = {
    FailureClass.TEST: "the test itself failed",
    FailureClass.INFRA: "the cluster failed, not the test",
    FailureClass.CONFIG: "its configuration does not allow it to start",
    FailureClass.TIMEOUT: "it did not start or finish within its timeout",
    FailureClass.CANCELLED: "it was cancelled",
}
# The message of these, where they have one, says the same in more detail.
EXPLAINED_BY_MESSAGE = (FailureClass.TIMEOUT, FailureClass.CANCELLED)
# Longer texts are cut on the screen; the copy menu has them in full.
MAX_REASON, MAX_MESSAGE = 100, 600

Rows = list[tuple[str, str]]


class FailureText(NamedTuple):
    """Why a run did not succeed: headline, meaning of the failure class ("": none), message."""

    headline: str
    explanation: str
    message: str


def field_rows(run: Run, now: datetime, original: Run | None = None) -> tuple[Rows, Rows]:
    """Return the labels and values of the overview, then those of all other fields.

    `original`: the run that this one is a rerun of, if it is known.
    """
    fields = run_fields(run, now, original=original)
    fields["Status"] = f"{text.STATUS_STYLES[run.status].glyph} {fields['Status']}"
    if not run.status.final and "Why" in fields:
        fields["Waits for"] = fields["Why"]
    overview = [(label, fields[label]) for label in OVERVIEW if label in fields]
    rest = [item for item in fields.items() if item[0] not in OVERVIEW + OMITTED]
    return overview, rest


def failure_text(run: Run, last_log_line: str = "") -> FailureText | None:
    """Return why the run did not succeed; None when it succeeded or has not ended.

    `last_log_line` takes the place of a message that only repeats the exit code.
    """
    failure = run.failure
    if failure is None:
        if not run.status.final or run.status is Status.SUCCEEDED:
            return None
        message = text.cut(explain_status(run), MAX_MESSAGE)
        return FailureText(text.STATUS_STYLES[run.status].word, "", message)
    headline = f"{failure.class_} · {text.cut(failure.reason, MAX_REASON)}"
    message = failure.message
    if failure.exit_code is not None:
        headline += f" · exit code {failure.exit_code}"
        message = message.removeprefix(f"exit code {failure.exit_code}: ")
    explanation = EXPLANATIONS[failure.class_]
    if lacks_message(failure):
        message = f"last line of the log: {last_log_line}" if last_log_line else ""
    elif failure.class_ in EXPLAINED_BY_MESSAGE:
        explanation = ""
    return FailureText(headline, explanation, text.cut(message, MAX_MESSAGE))


def source_rows(run: Run) -> Rows:
    """Return the labels and values of the run's TestRun; empty for an API run."""
    if run.origin is not Origin.CRD or run.k8s_ref is None:
        return []
    return [("Namespace", run.k8s_ref.namespace), ("TestRun", run.k8s_ref.name)]


def container_text(run: Run, container: str | None) -> str:
    """Return which container's log is shown, as `fixtures (2 of 3, t: next)`; "" of an only one."""
    names = run.containers
    if len(names) < 2:
        return ""
    number = names.index(container) + 1 if container in names else 1
    return f"{names[number - 1]} ({number} of {len(names)}, t: next)"


def log_state(run: Run, *, is_empty: bool, container: str | None = None) -> str:
    """Return the state of the stored log; "" when it is complete or `empty_log_text` shows it.

    `container`: whose log it is, None for the test's: only that one has a state of its own.
    """
    if container:
        return "" if run.status.final else "live"
    if not run.status.final:
        return "live" if run.status is Status.RUNNING else "not started"
    if run.log.state is LogState.COMPLETE or (is_empty and run.log.state is LogState.NONE):
        return ""
    reason = f": {run.log.reason}" if run.log.reason else ""
    return f"{'incomplete' if run.log.state is LogState.PARTIAL else 'none stored'}{reason}"


def empty_log_text(run: Run, container: str | None = None) -> str:
    """Return the text to show instead of an empty log; `container`: as for `log_state`."""
    if container:
        return f"No output of {container}." if run.status.final else "No output yet."
    if not run.status.final:
        started = run.status is Status.RUNNING
        return "No output yet." if started else "No log yet: the container has not started."
    if run.failed_init_container:
        return f"The container never started; t shows the log of {run.failed_init_container}."
    if run.log.state is LogState.NONE:
        if run.log.reason == "NotStarted":
            return "No log: the container never started"
        return f"No log was stored: {run.log.reason}" if run.log.reason else "No log was stored."
    return "The log is empty."
