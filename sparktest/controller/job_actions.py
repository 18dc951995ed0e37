"""What is done to Jobs and pods: create, stop, remove, let go in time."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sparktest.controller import steps
from sparktest.controller.caches import Caches
from sparktest.controller.observation import Observation, belongs_to, name_conflict, owner_uid
from sparktest.controller.run_states import RunState
from sparktest.controller.testruns import Key
from sparktest.domain import FailureClass, Run
from sparktest.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)
from sparktest.kube import outcome, wait_policy
from sparktest.kube import pods as pod_status
from sparktest.kube.cluster import EVENTS, JOBS, PODS, Cluster
from sparktest.kube.jobs import STOP, build_job
from sparktest.kube.pods import Object, uid_of

log = logging.getLogger(__name__)

# How long a refusal to create a Job, or what its Events said, is believed before asking again.
RETRY_INTERVAL = timedelta(seconds=10)


class JobActions:
    """The steps that concern Jobs and pods; see Actions."""

    def __init__(
        self,
        cluster: Cluster,
        caches: Caches,
        *,
        requeue_after: Callable[[Key, float], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._caches = caches
        self._later = requeue_after
        self._clock = clock

    def create(self, step: steps.CreateJob, observed: Observation, state: RunState) -> bool:
        """Create the run's Job, or take up the one that a pass before this one created."""
        run = observed.run
        if run is None:
            return True
        try:
            job = self._cluster.create(JOBS, run.namespace, build_job(run))
            log.info("job created run_id=%s key=%s/%s", run.id, *observed.key)
        except ConflictError:
            job = self._cluster.get(JOBS, *observed.key)
            if not belongs_to(job, run):
                state.permanent_error = name_conflict(observed.key)
                return True
        except ForbiddenError as error:
            self._held_up(error.detail, run, observed, state)
            return True
        except (InvalidError, NotFoundError, TooLargeError) as error:
            # NotFound: the namespace is not there.
            log.warning("job refused run_id=%s error=%s", run.id, error.detail)
            state.permanent_error = outcome.make_failure(
                FailureClass.CONFIG, _word(error), error.detail
            )
            return True
        state.job_uid = uid_of(job)
        self._caches.put(JOBS, job)
        return True

    def stop(self, step: steps.StopJob, observed: Observation, state: RunState) -> bool:
        """Note the reason on the Job, then end its pod in a way that keeps pod and log."""
        job = observed.own_job
        if job is None:
            return True
        if outcome.stop_reason(job) is None:
            noted = {"metadata": {"annotations": {STOP: outcome.encode_stop_reason(step.failure)}}}
            job = self._patch_job(job, observed.key, noted)
            log.info("stop run_id=%s reason=%s", observed.run_id, step.failure.reason)
        # Live: to suspend deletes a pod and its log, so a pod that the cache lacks must be seen.
        uid = uid_of(job)
        pods = [
            pod for pod in self._caches.read_pods(observed.key) if owner_uid(pod) in (None, uid)
        ]
        pod = pod_status.main_pod(pods)
        if pod is None or not pod_status.scheduled(pod):
            self._patch_job(job, observed.key, {"spec": {"suspend": True}})
        elif not pod_status.terminal(pod):
            self._end(pod)
        return False

    def remove(self, step: steps.DeleteJob, observed: Observation, state: RunState) -> bool:
        """Delete the Job and its pod."""
        try:
            self._cluster.delete(JOBS, *observed.key, uid=uid_of(observed.job))
            log.info("job removed run_id=%s key=%s/%s", observed.run_id, *observed.key)
        except (NotFoundError, ConflictError):
            pass
        return False

    def patch_ttl(self, step: steps.PatchJobTtl, observed: Observation, state: RunState) -> bool:
        """Have Kubernetes delete the finished Job in time."""
        if observed.job is None:
            return True
        try:
            patch = {"spec": {"ttlSecondsAfterFinished": step.seconds}}
            self._patch_job(observed.job, observed.key, patch)
        except NotFoundError:
            return False
        return True

    def read_events(self, step: steps.ReadEvents, observed: Observation, state: RunState) -> bool:
        """Learn why the Job has no pod."""
        selector = f"involvedObject.kind=Job,involvedObject.uid={uid_of(observed.job)}"
        state.events = self._cluster.list(EVENTS, observed.key[0], field_selector=selector).items
        state.events_expire_at = self._clock() + RETRY_INTERVAL
        self._later(observed.key, RETRY_INTERVAL.total_seconds())
        return True

    def _held_up(self, message: str, run: Run, observed: Observation, state: RunState) -> None:
        state.creation_wait = wait_policy.classify_rejection(
            message, wait_policy.start_deadline(run, None), self._clock()
        )
        state.creation_wait_expires_at = self._clock() + RETRY_INTERVAL
        self._later(observed.key, RETRY_INTERVAL.total_seconds())
        log.warning("job not created run_id=%s error=%s", run.id, message)

    def _end(self, pod: Object) -> None:
        metadata = pod_status.section(pod, "metadata")
        patch = {
            "metadata": {"uid": metadata["uid"]},
            "spec": {"activeDeadlineSeconds": outcome.STOP_DEADLINE_SECONDS},
        }
        try:
            after = self._cluster.patch(PODS, metadata["namespace"], metadata["name"], patch)
        except NotFoundError:
            return
        self._caches.put(PODS, after)

    def _patch_job(self, job: Object, key: Key, patch: dict[str, Any]) -> Object:
        # With the uid in it, a merge patch is refused when another Job has the name.
        metadata = {"uid": uid_of(job)} | patch.get("metadata", {})
        after = self._cluster.patch(JOBS, *key, patch | {"metadata": metadata})
        self._caches.put(JOBS, after)
        return after


def _word(error: Exception) -> str:
    return "NamespaceNotFound" if isinstance(error, NotFoundError) else "Invalid"
