"""What the details of a run say, as labels and values. Pure."""

from datetime import datetime
from typing import NamedTuple

from sparktest.domain import FailureClass, LogState, Origin, Run, Status
from sparktest.times import format_duration
from sparktest.tui import text

MEANINGS = {
    FailureClass.TEST: "the test itself failed",
    FailureClass.INFRA: "the cluster failed, not the test",
    FailureClass.CONFIG: "it could not be started as it was asked for",
    FailureClass.TIMEOUT: "it took longer than it may",
    FailureClass.CANCELLED: "somebody stopped it",
}

# What the panel shows of them; the copy menu has the whole.
MAX_REASON, MAX_MESSAGE = 100, 600


class Failed(NamedTuple):
    """Why a run did not succeed: one line of headline, one of meaning, Kubernetes' own words."""

    headline: str
    meaning: str
    message: str


def overview(run: Run, now: datetime) -> list[tuple[str, str]]:
    """The labels and values that tell what the run is and how it stands; only what there is."""
    created = "" if run.job_created or run.job_uid else " (not created yet)"
    rows = [
        ("Status", status(run, now)),
        ("Waits for", waits_for(run)),
        ("Run id", run.id),
        ("Definition", text.definition(run)),
        ("Job", f"{text.namespace(run)}/{run.job_name or text.NOTHING}{created}"),
    ]
    return _said(rows)


def more(run: Run, now: datetime) -> list[tuple[str, str]]:
    """The labels and values of what was to be run, and when it was; only what there is."""
    rows = [
        ("Image", run.display_image),
        ("Commands", "\n".join(run.commands)),
        ("Command", " ".join(run.entrypoint)),
        ("Args", " ".join(run.args)),
        # Names only: a value may be a secret.
        ("Env", ", ".join(sorted(run.env))),
        ("Env from", ", ".join(map(_source, run.env_from))),
        ("Account", run.service_account_name or ""),
        ("Timeout", format_duration(run.timeout_seconds)),
        ("Created", text.local_time(run.created_at, now)),
        ("Started", text.local_time(run.started_at, now)),
        ("Finished", text.local_time(run.finished_at, now)),
        ("Labels", ", ".join(f"{key}={value}" for key, value in run.labels.items())),
    ]
    return _said(rows)


def status(run: Run, now: datetime) -> str:
    """Glyph, word and duration; that it was asked to stop, until it has."""
    look = text.STATUS_STYLES[run.status]
    took = text.duration(run, now)
    said = f"{look.glyph} {look.word}"
    if took != text.NOTHING:
        said += f" {'after' if run.status.final else 'for'} {took}"
    if run.cancel_requested_at and not run.status.final:
        said += " · asked to stop"
    return said


def waits_for(run: Run) -> str:
    """What a run that has not ended waits for; "" when it waits for nothing."""
    if run.status.final:
        return ""
    return ": ".join(filter(None, (run.status_reason, run.status_message)))


def failure(run: Run) -> Failed | None:
    """Why the run did not succeed; None when it did, or has not ended."""
    if run.failure is None:
        if not run.status.final or run.status is Status.SUCCEEDED:
            return None
        message = ": ".join(filter(None, (run.status_reason, run.status_message)))
        return Failed(text.STATUS_STYLES[run.status].word, "", text.cut(message, MAX_MESSAGE))
    headline = f"{run.failure.class_} · {text.cut(run.failure.reason, MAX_REASON)}"
    if run.failure.exit_code is not None:
        headline += f" · exit code {run.failure.exit_code}"
    message = text.cut(run.failure.message, MAX_MESSAGE)
    return Failed(headline, MEANINGS[run.failure.class_], message)


def source(run: Run) -> list[tuple[str, str]]:
    """Where a run of origin crd came from; empty for any other."""
    if run.origin is not Origin.CRD or run.k8s_ref is None:
        return []
    return [("Namespace", run.k8s_ref.namespace), ("TestRun", run.k8s_ref.name)]


def log(run: Run) -> str:
    """What is to be known about the stored log before it is read; "" when it is simply whole."""
    if not run.status.final:
        return "live" if run.status is Status.RUNNING else "not started"
    if run.log.state is LogState.COMPLETE:
        return ""
    why = f": {run.log.reason}" if run.log.reason else ""
    return f"{'incomplete' if run.log.state is LogState.PARTIAL else 'none stored'}{why}"


def empty_log(run: Run) -> str:
    """What to say where the log has no lines."""
    if not run.status.final:
        started = run.status is Status.RUNNING
        return "No output yet." if started else "No log yet: the container has not started."
    if run.log.state is LogState.NONE and run.log.reason:
        return f"No log was stored: {run.log.reason}"
    return "The log is empty."


def _said(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(label, value) for label, value in rows if value not in ("", text.NOTHING)]


def _source(source: dict[str, object]) -> str:
    """An entry of envFrom as `secret name` or `config map name`."""
    for key, word in (("secretRef", "secret"), ("configMapRef", "config map")):
        reference = source.get(key)
        if isinstance(reference, dict):
            return f"{word} {reference.get('name', '?')}"
    return "?"
