"""What a run that has not started waits for, and for how long. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sparktest.domain import Failure, FailureClass, Run
from sparktest.kube import pods as pod_status
from sparktest.kube.outcome import make_failure
from sparktest.kube.pods import Object, condition_of, moment, section

PULL = ("ImagePullBackOff", "ErrImagePull", "RegistryUnavailable", "SignatureValidationFailed")
CONFIG = (
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
)
CONFIG_SECONDS = 15
# A Job whose pods are refused has no condition that says so; by then its Events do.
NO_POD_SECONDS = 20
# Words of the refusal of a pod that no waiting will heal.
PERMANENT = ("service account ", "PodSecurity", "violates", "is invalid", "denied the request")
QUOTA = "exceeded quota"
TERMINATING = "being terminated"


class Wait(NamedTuple):
    """What a run waits for, and what happens if it is in vain.

    Attributes:
        reason: Kubernetes' word.
        until: when it has waited long enough; None for as long as it takes.
        failure: how it then ends.
    """

    reason: str
    message: str
    until: datetime | None
    failure: Failure | None


def waiting_reason(pods: Iterable[Object]) -> str | None:
    """The kind of trouble the test's container is in: "pull", "config" or None.

    Kubernetes does not say since when a container waits; whoever calls this remembers since when
    the answer is the same.
    """
    name, state = pod_status.container_state(pod_status.main_pod(pods))
    if name != "waiting":
        return None
    reason = state.get("reason")
    return "pull" if reason in PULL else "config" if reason in CONFIG else None


def pod_wait(
    run: Run,
    job: Object,
    pods: list[Object],
    *,
    since: datetime,
    pull_seconds: int,
) -> Wait | None:
    """What a run with a pod waits for; None when nothing hinders it (it may still be starting).

    `since`: since when `trouble` answers what it does. `pull_seconds`: the patience with an image
    that cannot be pulled.
    """
    pod = pod_status.main_pod(pods)
    kind = waiting_reason(pods)
    if pod is None or pod_status.terminal(pod):
        return None
    if kind:
        state = pod_status.container_state(pod)[1]
        # ErrImagePull and ImagePullBackOff take turns; that is one wait, with one word.
        reason = PULL[0] if state.get("reason") == "ErrImagePull" else str(state.get("reason"))
        seconds = pull_seconds if kind == "pull" else CONFIG_SECONDS
        until = since + timedelta(seconds=seconds)
        return _failing(reason, str(state.get("message") or ""), until, FailureClass.CONFIG)
    unscheduled = condition_of(pod, "PodScheduled")
    if unscheduled and unscheduled.get("status") == "False":
        reason = str(unscheduled.get("reason") or "Unschedulable")
        message = str(unscheduled.get("message") or "")
        return _failing(reason, message, start_deadline(run, job), FailureClass.TIMEOUT)
    return None


def missing_pod_wait(run: Run, job: Object, events: list[Object], now: datetime) -> Wait | None:
    """What a Job without a pod waits for, from its Events (a suspended Job: for its owner)."""
    if section(job, "spec").get("suspend"):
        return Wait("Suspended", "the Job is suspended", None, None)
    refusal = _latest_refusal(events)
    if refusal is None:
        return None
    return classify_rejection(refusal, start_deadline(run, job), now)


def classify_rejection(message: str, until: datetime, now: datetime) -> Wait:
    """How long to wait after a pod or a Job was refused with that message.

    `until`: when the run's time is up.
    """
    if TERMINATING in message:
        return _failing("NamespaceTerminating", message, now, FailureClass.INFRA)
    if QUOTA not in message and any(word in message for word in PERMANENT):
        return _failing("FailedCreate", message, now, FailureClass.CONFIG)
    return _failing("FailedCreate", message, until, FailureClass.TIMEOUT)


def needs_events_at(job: Object) -> datetime | None:
    """From when on the Events of a Job without a pod are worth reading; None for never."""
    if section(job, "spec").get("suspend"):
        return None
    began = _began(job)
    return began + timedelta(seconds=NO_POD_SECONDS) if began else None


def start_deadline(run: Run, job: Object | None) -> datetime:
    """When the time of a run that has not started is up: counted from its Job, else its row."""
    began = _began(job) if job else None
    return (began or run.created_at) + timedelta(seconds=run.timeout_seconds)


def _began(job: Object) -> datetime | None:
    started = moment(section(job, "status").get("startTime"))
    return started or moment(section(job, "metadata").get("creationTimestamp"))


def _failing(reason: str, message: str, until: datetime, kind: FailureClass) -> Wait:
    return Wait(reason, message, until, make_failure(kind, reason, message))


def _latest_refusal(events: Iterable[Object]) -> str | None:
    def seen(event: Object) -> str:
        return str(event.get("lastTimestamp") or event.get("eventTime") or "")

    refusals = [event for event in events if event.get("reason") == "FailedCreate"]
    latest = max(refusals, key=seen, default=None)
    return str(latest.get("message") or "") if latest else None
