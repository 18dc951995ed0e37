"""The fields of a run as labels and values, for `sparktest show` and the run screen. Pure.

values = run_fields(run, now)      # {"Name": "smoke", "Status": "failed after 3s", …}
"""

import re
import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sparktest.domain import Failure, Run
from sparktest.sanitize import clean_text
from sparktest.times import format_age, format_duration


def run_fields(
    run: Run, now: datetime, *, last_log_line: str = "", original: Run | None = None
) -> dict[str, str]:
    """Return the label and value of each field that has a value, in display order.

    `Commands` has a line per command; `Command` and `Args` are quoted for a shell. Values that may
    be secret are left out.

    Args:
        run: the run.
        now: the time now, for ages.
        last_log_line: quoted only for a failure without a message (see `lacks_message`).
        original: the run that this one is a rerun of, if it is known.
    """
    ref = run.k8s_ref
    created = "" if run.job_created or run.job_uid else " (not created yet)"
    namespace = ref.namespace if ref else run.namespace
    fields = {
        "Name": _one_line(run.name),
        "ID": run.id,
        "Status": status_text(run, now),
        "Why": _one_line(explain_status(run, last_log_line)),
        "Source": f"TestRun {ref.namespace}/{ref.name}" if ref else run.origin.value,
        "Definition": _one_line(run.definition_name or run.test_definition_id or ""),
        "Schedule": run.schedule_id,
        "Rerun of": f"{original.id[:8]} ({_one_line(original.name)})" if original else run.rerun_of,
        "Job": f"{namespace}/{run.job_name}{created}" if run.job_name else None,
        "Image": run.display_image,
        "Git": _git(run),
        "Commands": "\n".join(run.commands),
        "Command": shlex.join(run.entrypoint),
        "Args": shlex.join(run.args),
        # Names only: a value may be a secret.
        "Env": ", ".join(sorted(run.env)),
        "Env from": ", ".join(map(_env_source, run.env_from)),
        "Account": run.service_account_name,
        "Containers": ", ".join(run.containers) if len(run.containers) > 1 else None,
        "Pod": pod_text(run.template),
        "Labels": ", ".join(f"{key}={value}" for key, value in run.labels.items()),
        "Timeout": format_duration(run.timeout_seconds),
        "Created": _time(run.created_at, now),
        "Started": _time(run.started_at, now),
        "Finished": _time(run.finished_at, now),
        "Log": _log(run),
    }
    return {label: value for label, value in fields.items() if value}


def status_text(run: Run, now: datetime) -> str:
    """Return the status with its duration and a requested cancellation: `running for 12s`."""
    text = run.status.value.replace("_", " ")
    duration = run_duration(run, now)
    if duration:
        text += f" {'after' if run.status.final else 'for'} {duration}"
    if run.cancel_requested_at and not run.status.final:
        text += ", cancellation requested"
    return text


def run_duration(run: Run, now: datetime) -> str | None:
    """Return how long the run took, or has been running; None before its container started."""
    if run.duration is not None:
        return format_duration(run.duration)
    if run.started_at is None:
        return None
    return format_duration(((run.finished_at or now) - run.started_at).total_seconds())


def reason(run: Run) -> str | None:
    """Return the reason why the run failed, or why it waits; None when neither is known."""
    return run.failure.reason if run.failure else run.status_reason


def explain_status(run: Run, last_log_line: str = "") -> str:
    """Return why the run failed, or what it waits for; "" when neither is known."""
    if run.failure is None:
        return ": ".join(filter(None, (run.status_reason, run.status_message)))
    code = run.failure.exit_code
    message = run.failure.message or (f"exit code {code}" if code is not None else "")
    text = ": ".join(filter(None, (f"{run.failure.class_.value}, {run.failure.reason}", message)))
    if last_log_line and lacks_message(run.failure):
        text += f'; last line of the log: "{last_log_line}"'
    return text


def lacks_message(failure: Failure) -> bool:
    """Return True when the failure's message is missing or only repeats the exit code."""
    return failure.message in ("", f"exit code {failure.exit_code}")


def last_line(log: bytes) -> str:
    """Return the last non-blank line of a log or of its tail, without control characters."""
    lines = clean_text(log.decode(errors="replace")).splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def pod_text(template: Mapping[str, Any]) -> str:
    """Return what a template adds to a pod: `2 init containers, 1 sidecar, volumes data, config`.

    It names containers, volumes and the other fields of the pod, and no values.
    """
    spec = template.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    inits = _objects(spec.get("initContainers"))
    sidecars = [each for each in inits if each.get("restartPolicy") == "Always"]
    volumes = [str(each.get("name")) for each in _objects(spec.get("volumes"))]
    parts = [
        _count(len(inits) - len(sidecars), "init container"),
        _count(len(sidecars), "sidecar"),
        _count(len(_objects(spec.get("containers"))) - 1, "other container"),
        f"volume{'s' if len(volumes) > 1 else ''} {', '.join(volumes)}" if volumes else "",
        *(name for name in spec if name not in ("initContainers", "containers", "volumes")),
    ]
    return _one_line(", ".join(filter(None, parts)))


def _objects(value: Any) -> list[Mapping[str, Any]]:
    found = value if isinstance(value, list) else []
    return [each for each in found if isinstance(each, Mapping)]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}" if number > 0 else ""


def _git(run: Run) -> str:
    """Return repository, ref, path and commit, without a password in the URL."""
    url = re.sub(r"//[^/@]*@", "//", run.git.get("url", ""))
    ref, path = run.git.get("ref"), run.git.get("path")
    commit = run.git_commit and f"commit {run.git_commit[:12]}"
    return _one_line(", ".join(filter(None, (url, ref, path and f"path {path}", commit))))


def _env_source(source: dict[str, Any]) -> str:
    """Return an entry of envFrom as text, such as `secret db`."""
    for key, kind in (("secretRef", "secret"), ("configMapRef", "config map")):
        reference = source.get(key)
        if isinstance(reference, dict):
            return f"{kind} {reference.get('name', '?')}"
    return "?"


def _log(run: Run) -> str:
    log_reason = f" ({run.log.reason})" if run.log.reason else ""
    return f"{run.log.state.value}{log_reason}, {run.log.bytes:,} bytes"


def _time(at: datetime | None, now: datetime) -> str | None:
    """Return a time in the local time zone, and how long ago it was."""
    if at is None:
        return None
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z} ({format_age(now - at)} ago)"
