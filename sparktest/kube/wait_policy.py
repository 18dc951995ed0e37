"""What a run waits for before it starts, how long, and how it fails after that. Pure."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sparktest.domain import Failure, FailureClass, Run
from sparktest.errors import UnavailableError
from sparktest.kube import git
from sparktest.kube.outcome import VOLUME_REASONS, exit_message
from sparktest.kube.pod_view import PodView
from sparktest.kube.views import EventView, JobView

PULL = ("ImagePullBackOff", "ErrImagePull", "RegistryUnavailable", "SignatureValidationFailed")
CONFIG = (
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
)
CONFIG_SECONDS = 15
CRASH_SECONDS = 120
# An init container that runs for longer than this is shown as what the run waits for.
INIT_SECONDS = 10
# When to read the Events of a Job without a pod, or of a pod that has a node and no container yet:
# only they show that pods are rejected, or that a volume cannot be mounted.
EVENTS_SECONDS = 20
NOT_CREATED = (*VOLUME_REASONS, "FailedCreatePodSandBox")
# The first Events of a container; the kubelet has mounted all volumes before.
CREATING = ("Pulling", "Pulled", "Created", "Started")
# The kubelet's words about a volume that cannot be mounted until its object or key is created.
MISSING_OBJECT = re.compile(
    r'(configmap|secret) "[^"]*" not found|references non-existent (config|secret) key'
)
# Parts of messages of an admission webhook and of a ValidatingAdmissionPolicy.
DENIED = ("denied the request", "denied request")
# Parts of messages of a 5xx by which nothing was created, unlike after other errors of a server.
REJECTED = (*DENIED, "failed calling webhook", "request is too large")
# Parts of messages of permanent rejections; the last three are of a quota for pods without limits
# and of a LimitRange.
PERMANENT = (
    "service account ",
    "no PriorityClass with name",
    "pod rejected: RuntimeClass",
    "violates",
    "is invalid",
    "request is too large",
    *DENIED,
    "failed quota",
    " usage per ",
    " ratio per ",
)
QUOTA = "exceeded quota"
# Parts of the kubelet's messages about a container that must not, but would run as root.
NON_ROOT = ("runAsNonRoot", "non-root policy")
NON_ROOT_HINT = "; set template.spec.securityContext.runAsUser to a user other than 0"
GIT_IMAGE_HINT = "; the setting SPARKTEST_GIT_IMAGE of the controller names this image"
TERMINATING = "being terminated"


class Wait(NamedTuple):
    """What a run waits for.

    Attributes:
        reason: Kubernetes' term, such as ImagePullBackOff.
        until: when the wait expires; None for never.
        failure: the failure of the run once the wait has expired.
    """

    reason: str
    message: str
    until: datetime | None
    failure: Failure | None

    def expired(self, now: datetime) -> Failure | None:
        """Return the failure of the run if the wait has expired, else None."""
        return self.failure if self.until and self.until <= now else None


def waiting_reason(pod: PodView | None) -> str | None:
    """Return what blocks the test's container: "pull", "config", "crash" or None.

    Kubernetes does not say how long a container has been waiting, so the caller keeps track.
    """
    if pod is None or pod.container.kind != "waiting":
        return None
    state = pod.failing_init.state if pod.failing_init else pod.container
    if state.kind != "waiting":
        return None
    if state.reason == "CrashLoopBackOff":
        return "crash"
    return "pull" if state.reason in PULL else "config" if state.reason in CONFIG else None


def pod_wait(
    run: Run,
    job: JobView,
    pod: PodView,
    now: datetime,
    *,
    events: Iterable[EventView] = (),
    since: datetime,
    image_pull_timeout_seconds: int,
) -> Wait | None:
    """Return what a run with a pod waits for; None if nothing blocks it (it may be starting).

    `since` is when `waiting_reason` last changed; `events` are those of the pod.
    """
    if pod.is_terminal:
        return None
    kind, init = waiting_reason(pod), pod.failing_init
    if kind:
        limits = {
            "pull": image_pull_timeout_seconds,
            "config": CONFIG_SECONDS,
            "crash": CRASH_SECONDS,
        }
        until = since + timedelta(seconds=limits[kind])
        state = init.state if init else pod.container
        # ErrImagePull and ImagePullBackOff alternate; treat them as one wait.
        reason, message = PULL[0] if state.reason == "ErrImagePull" else state.reason, state.message
        message += _hint(message, kind, init.name if init else "")
        if init:
            if kind == "crash":
                message = exit_message(state.exit_code, message)
            reason, message = f"Init:{reason}", f"init container {init.name}: {message}"
        container = init.name if init else None
        # Of what waits, only a container that crashes has one.
        code = state.exit_code
        failure = Failure(FailureClass.CONFIG, reason, message, code, container)
        return Wait(reason, message, until, failure)
    if pod.scheduled and pod.scheduled.status == "False":
        reason = pod.scheduled.reason or "Unschedulable"
        message = pod.scheduled.message
        return _failing(reason, message, start_deadline(run, job), FailureClass.TIMEOUT)
    return _init_wait(pod, now) or _creation_wait(run, pod, list(events))


def _init_wait(pod: PodView, now: datetime) -> Wait | None:
    shown_at, running = init_shown_at(pod), pod.running_init
    if running and shown_at and shown_at <= now:
        message = f"init container {running.name} is running"
        return Wait(f"Init:{pod.init_progress}", message, None, None)
    return None


def _creation_wait(run: Run, pod: PodView, events: list[EventView]) -> Wait | None:
    """Return why no container of the pod can be created."""
    began, latest = _creating_since(pod), _not_created(pod, events)
    if began is None or latest is None:
        return None
    config_at = began + timedelta(seconds=CONFIG_SECONDS)
    # The kubelet tries again after 0.5, 1, 2, 4, 8 and 16 s. An older Event may be of an object
    # that was created after it.
    lasting = (each for each in events if each.seen_at and each.seen_at >= config_at)
    missing = _latest(
        (each for each in lasting if MISSING_OBJECT.search(each.message)), VOLUME_REASONS
    )
    if missing:
        return _failing(missing.reason, missing.message, config_at, FailureClass.CONFIG)
    if latest.reason in VOLUME_REASONS:
        until = began + timedelta(seconds=run.timeout_seconds)
        return _failing(latest.reason, latest.message, until, FailureClass.TIMEOUT)
    # The kubelet goes on syncing the pod, so that the pod's own deadline ends it.
    return Wait(latest.reason, latest.message, None, None)


def waits_for_volume(pod: PodView, events: Iterable[EventView]) -> bool:
    """Return True if the kubelet cannot mount a volume of the pod, and has started nothing of it.

    For up to two minutes at a time, it does not look at the deadline of such a pod.
    """
    latest = _not_created(pod, list(events))
    return latest is not None and latest.reason in VOLUME_REASONS


def _not_created(pod: PodView, events: list[EventView]) -> EventView | None:
    if not pod.is_creating or any(event.reason in CREATING for event in events):
        return None
    return _latest(events, NOT_CREATED)


def _creating_since(pod: PodView) -> datetime | None:
    return pod.scheduled.changed_at if pod.scheduled and pod.is_creating else None


def _latest(events: Iterable[EventView], reasons: tuple[str, ...]) -> EventView | None:
    oldest = datetime.min.replace(tzinfo=UTC)
    found = (event for event in events if event.reason in reasons)
    return max(found, key=lambda event: event.seen_at or oldest, default=None)


def _hint(message: str, kind: str, container: str) -> str:
    """Return the way out that the kubelet does not name."""
    if any(part in message for part in NON_ROOT):
        return NON_ROOT_HINT
    return GIT_IMAGE_HINT if kind == "pull" and container == git.CONTAINER else ""


def init_shown_at(pod: PodView | None) -> datetime | None:
    """Return when the init container that runs now is shown as what the run waits for."""
    running = pod.running_init if pod else None
    started = running.state.started_at if running else None
    return started + timedelta(seconds=INIT_SECONDS) if started else None


def missing_pod_wait(
    run: Run, job: JobView, events: Iterable[EventView], now: datetime
) -> Wait | None:
    """Return what a Job without a pod waits for, from its Events; None if they show nothing."""
    if job.suspend:
        return Wait("Suspended", "the Job is suspended", None, None)
    latest = _latest(events, ("FailedCreate",))
    if latest is None:
        return None
    return classify_rejection(latest.message, start_deadline(run, job), now)


def is_rejection(error: UnavailableError) -> bool:
    """Return True if the API server answered, and did not create the object."""
    return any(part in error.detail for part in REJECTED)


def classify_rejection(message: str, deadline: datetime, now: datetime) -> Wait:
    """Return how long to wait after a pod or Job was rejected; at most until `deadline`."""
    if TERMINATING in message:
        return _failing("NamespaceTerminating", message, now, FailureClass.INFRA)
    if QUOTA not in message and any(part in message for part in PERMANENT):
        return _failing("FailedCreate", message, now, FailureClass.CONFIG)
    return _failing("FailedCreate", message, deadline, FailureClass.TIMEOUT)


def needs_events_at(job: JobView, pod: PodView | None) -> datetime | None:
    """Return when to read the Events of the pod, else those of the Job; None for never."""
    if pod is not None:
        began = _creating_since(pod)
    else:
        began = None if job.suspend else job.started_at or job.created_at
    return began + timedelta(seconds=EVENTS_SECONDS) if began else None


def start_deadline(run: Run, job: JobView | None) -> datetime:
    """Return when the run must have started: its timeout after its Job or, before that, the run."""
    began = (job.started_at or job.created_at) if job else None
    return (began or run.created_at) + timedelta(seconds=run.timeout_seconds)


def _failing(reason: str, message: str, until: datetime, kind: FailureClass) -> Wait:
    return Wait(reason, message, until, Failure(kind, reason, message))
