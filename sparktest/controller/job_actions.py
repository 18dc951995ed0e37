"""Execute the steps on Jobs and pods: create, stop, delete, set a TTL, read Events."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sparktest.controller import steps
from sparktest.controller.caches import Caches
from sparktest.controller.observation import (
    Observation,
    belongs_to,
    name_conflict,
    namespace_deleted,
)
from sparktest.controller.run_states import RunState
from sparktest.controller.testruns import Key
from sparktest.domain import Failure, FailureClass, Run
from sparktest.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    SparkTestError,
    TooLargeError,
    UnavailableError,
)
from sparktest.kube import wait_policy
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import STOP, build_job, encode_stop_reason
from sparktest.kube.outcome import STOP_DEADLINE_SECONDS
from sparktest.kube.pod_view import PodView, main_pod, parse_pod
from sparktest.kube.resources import EVENTS, JOBS, PODS
from sparktest.kube.views import EventView, JobView, parse_event, parse_job

log = logging.getLogger(__name__)

# How long the result of a rejected create or of a read of Events is used before the next try.
RETRY_INTERVAL = timedelta(seconds=10)

# The API server says this of a Job that is too large for etcd: after that it tries again with what
# it had added to the Job the first time.
TOO_LARGE_SIGN = "`selector` not auto-generated"
# It says this of every object that is created in a namespace that is being deleted.
TERMINATING_SIGN = "because it is being terminated"
TOO_LARGE = "the Job is larger than Kubernetes can store (about 1 MiB)"


class JobActions:
    """Executes the steps on Jobs and pods for Actions."""

    def __init__(
        self,
        cluster: Cluster,
        caches: Caches,
        *,
        restricted: bool,
        git_image: str,
        requeue_after: Callable[[Key, float], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._caches = caches
        self._restricted = restricted
        self._git_image = git_image
        self._requeue_after = requeue_after
        self._clock = clock

    def create(self, step: steps.CreateJob, observed: Observation, state: RunState) -> bool:
        """Create the run's Job, or adopt it if an earlier reconcile created it."""
        run = observed.run
        if run is None:
            return True
        try:
            manifest = build_job(run, restricted=self._restricted, git_image=self._git_image)
            job = self._cluster.create(JOBS, run.namespace, manifest)
            log.debug("job created run_id=%s key=%s/%s", run.id, *observed.key)
        except ConflictError:
            job = self._cluster.get(JOBS, *observed.key)
            if not belongs_to(parse_job(job), run):
                state.permanent_error = name_conflict(observed.key)
                return True
        except (ForbiddenError, UnavailableError) as error:
            if TERMINATING_SIGN in error.detail:
                state.permanent_error = namespace_deleted(run)
                return True
            if isinstance(error, UnavailableError) and not wait_policy.is_rejection(error):
                raise
            self._wait_to_create(error.detail, run, observed.key, state)
            return True
        except (InvalidError, NotFoundError, TooLargeError) as error:
            log.warning("job rejected run_id=%s error=%s", run.id, error.detail)
            state.permanent_error = _permanent_error(error)
            return True
        state.job_uid = parse_job(job).uid
        self._caches.put(JOBS, job)
        return True

    def stop(self, step: steps.StopJob, observed: Observation, state: RunState) -> bool:
        """Write the reason to the Job, then end its pod in a way that keeps its log."""
        job = observed.own_job
        if job is None:
            return True
        if job.stop_reason is None:
            annotations = {STOP: encode_stop_reason(step.failure)}
            job = self._patch_job(job, observed.key, {"metadata": {"annotations": annotations}})
            log.info("job stop requested run_id=%s reason=%s", observed.run_id, step.failure.reason)
        # Read live: suspending would delete a pod that is not cached yet, and its log.
        pods = self._caches.read_pods(observed.key)
        pod = main_pod(pod for pod in pods if pod.owner_uid in (None, job.uid))
        if pod is not None and pod.node_name and not pod.is_terminal:
            pod = self._end(pod)
        if pod is None or not pod.node_name or self._waits_for_volume(pod, observed.key, state):
            self._patch_job(job, observed.key, {"spec": {"suspend": True}})
        return False

    def delete(self, step: steps.DeleteJob, observed: Observation, state: RunState) -> bool:
        """Delete the Job and its pod."""
        if observed.job is None:
            return False
        try:
            self._cluster.delete(JOBS, *observed.key, uid=observed.job.uid)
            log.info("job deleted run_id=%s key=%s/%s", observed.run_id, *observed.key)
        except (NotFoundError, ConflictError):
            pass
        return False

    def patch_ttl(self, step: steps.PatchJobTtl, observed: Observation, state: RunState) -> bool:
        """Set the TTL of the finished Job."""
        if observed.job is None:
            return True
        try:
            patch = {"spec": {"ttlSecondsAfterFinished": step.seconds}}
            self._patch_job(observed.job, observed.key, patch)
        except NotFoundError:
            return False
        return True

    def read_events(self, step: steps.ReadEvents, observed: Observation, state: RunState) -> bool:
        """Read the Events of the pod, else those of the Job."""
        owner = observed.pod or observed.job
        if owner is None:
            return True
        events = self._read_events(owner, observed.key, state)
        if observed.pod and observed.pod.is_terminal:
            # Kept: an Event may be gone when the end can be reported at last.
            state.end_events = events
        else:
            self._requeue_after(observed.key, RETRY_INTERVAL.total_seconds())
        return True

    def check_namespace(
        self, step: steps.CheckNamespace, observed: Observation, state: RunState
    ) -> bool:
        """Find out whether the namespace is being deleted.

        To read it would take a right that a Role may not have. Instead try to create an object:
        the API server rejects any, whatever is in it, in a namespace that is being deleted.
        """
        state.namespace_deleted = False
        try:
            event = {"metadata": {"name": "sparktest"}}
            self._cluster.create(EVENTS, observed.key[0], event, dry_run=True)
        except NotFoundError:
            state.namespace_deleted = True
        except (ForbiddenError, InvalidError) as error:
            # After the Role was deleted with the namespace, nobody can tell.
            state.namespace_deleted = TERMINATING_SIGN in error.detail
        return True

    def _read_events(self, owner: PodView | JobView, key: Key, state: RunState) -> list[EventView]:
        kind = "Pod" if isinstance(owner, PodView) else "Job"
        selector = f"involvedObject.kind={kind},involvedObject.uid={owner.uid}"
        found = self._cluster.list(EVENTS, key[0], field_selector=selector).items
        state.events = [parse_event(event) for event in found]
        state.events_expire_at = self._clock() + RETRY_INTERVAL
        return state.events

    def _waits_for_volume(self, pod: PodView, key: Key, state: RunState) -> bool:
        """Return True if the kubelet waits for a volume, and would notice the deadline too late.

        The Job's controller can then delete the pod: no container has a log. The order is what
        keeps it safe: with the deadline set, only the sync of the pod that goes on now can still
        start a container. `pod` is the answer to that write, and the Events are read after it,
        so a container that has started by then is left to the deadline, which keeps its pod. One
        that starts between this read and the deletion has its grace period to be followed; if its
        log is lost all the same, the run's log state says so.
        """
        return pod.is_creating and wait_policy.waits_for_volume(
            pod, self._read_events(pod, key, state)
        )

    def _wait_to_create(self, message: str, run: Run, key: Key, state: RunState) -> None:
        now, deadline = self._clock(), wait_policy.start_deadline(run, None)
        state.creation_wait = wait_policy.classify_rejection(message, deadline, now)
        state.creation_wait_expires_at = now + RETRY_INTERVAL
        self._requeue_after(key, RETRY_INTERVAL.total_seconds())
        log.warning("job not created run_id=%s error=%s", run.id, message)

    def _end(self, pod: PodView) -> PodView | None:
        """Set the pod's deadline to one second; return the pod after that, None if it is gone."""
        patch = {
            "metadata": {"uid": pod.uid},
            "spec": {"activeDeadlineSeconds": STOP_DEADLINE_SECONDS},
        }
        try:
            after = self._cluster.patch(PODS, pod.namespace, pod.name, patch)
        except NotFoundError:
            return None
        self._caches.put(PODS, after)
        return parse_pod(after)

    def _patch_job(self, job: JobView, key: Key, patch: dict[str, Any]) -> JobView:
        # The uid makes the API server reject the patch if another Job has the name.
        metadata = {"uid": job.uid} | patch.get("metadata", {})
        after = self._cluster.patch(JOBS, *key, patch | {"metadata": metadata})
        self._caches.put(JOBS, after)
        return parse_job(after)


def _permanent_error(error: SparkTestError) -> Failure:
    # A create answers 404 if the namespace does not exist.
    reason = "NamespaceNotFound" if isinstance(error, NotFoundError) else "Invalid"
    message = TOO_LARGE if TOO_LARGE_SIGN in error.detail else error.detail
    return Failure(FailureClass.CONFIG, reason, message)
