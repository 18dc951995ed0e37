"""A test that the kubelet ended because its own probe or postStart hook failed. Pure.

The status of such a pod has only the exit code, which a test that handles TERM chooses freely: also
0. Only the Events of the pod show why the kubelet ended the container.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from sparktest.domain import Failure, FailureClass, Run, RunReport
from sparktest.kube.fields import mapping, text
from sparktest.kube.outcome import final_status
from sparktest.kube.pod_template import test_container
from sparktest.kube.views import EventView

# The kubelet sends Events in the background: when a test's end is seen, they may not be there yet.
EVENTS_SECONDS = 5
PROBES = ("livenessProbe", "startupProbe")
UNHEALTHY = "Unhealthy"
HOOK_FAILED = "FailedPostStartHook"
# Its message is the same for every cause. What else makes the kubelet end a container (a deletion,
# an eviction, a deadline) is in the status of the pod and has decided before.
KILLING = "Killing"
_FAILED_PROBE = re.compile(r"(Liveness|Startup) probe failed")
_OLDEST = datetime.min.replace(tzinfo=UTC)


def needs_events_at(run: Run, report: RunReport, end_seen_at: datetime | None) -> datetime | None:
    """Return when to read the Events of a pod that has ended; None if they cannot change the end.

    `end_seen_at` is when the end was first seen, by the clock of the controller: that of the node
    may differ.
    """
    if end_seen_at is None or not _is_by_exit_code(report):
        return None
    container = test_container(run.template) or {}
    hook = mapping(container, "lifecycle").get("postStart")
    if not hook and not any(container.get(probe) for probe in PROBES):
        return None
    return end_seen_at + timedelta(seconds=EVENTS_SECONDS)


def add_probe_failure(report: RunReport, run: Run, events: Iterable[EventView]) -> RunReport:
    """Return the final report with the failed probe or hook that ended the test, if one did.

    `events` are those of the pod; they are needed only if `needs_events_at` returned a time.
    """
    failure = _failure(report, run, list(events)) if _is_by_exit_code(report) else None
    if failure is None:
        return report
    return msgspec.structs.replace(report, status=final_status(failure), failure=failure)


def _is_by_exit_code(report: RunReport) -> bool:
    return report.failure is None or report.failure.class_ is FailureClass.TEST


def _failure(report: RunReport, run: Run, events: list[EventView]) -> Failure | None:
    name = text(test_container(run.template) or {}, "name")
    own = [each for each in events if each.field_path == f"spec.containers{{{name}}}"]
    if not any(each.reason == KILLING and _is_before_end(each, report) for each in own):
        return None
    causes = (each for each in own if _is_cause(each))
    cause = max(causes, key=lambda each: each.seen_at or _OLDEST, default=None)
    if cause is None:
        return None
    code = report.failure.exit_code if report.failure else 0
    # A probe that prints nothing leaves a colon at the end.
    message = cause.message.strip().removesuffix(":")
    return Failure(FailureClass.TEST, cause.reason, message, code)


def _is_cause(event: EventView) -> bool:
    failed_probe = event.reason == UNHEALTHY and _FAILED_PROBE.match(event.message) is not None
    return failed_probe or event.reason == HOOK_FAILED


def _is_before_end(event: EventView, report: RunReport) -> bool:
    # Both times are whole seconds of the node's clock; in doubt, the kubelet ended the test.
    if event.seen_at is None or report.finished_at is None:
        return True
    return event.seen_at <= report.finished_at
