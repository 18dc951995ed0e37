"""What is done to Jobs and pods: create, stop, remove, let go in time."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sparktest.controller import steps
from sparktest.controller.book import Memo
from sparktest.controller.known import Known, belongs, name_conflict, owner_uid
from sparktest.controller.testruns import Key
from sparktest.controller.views import Views
from sparktest.domain import FailureClass, Run
from sparktest.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)
from sparktest.kube import outcome, patience
from sparktest.kube import pods as podstate
from sparktest.kube.cluster import EVENTS, JOBS, PODS, Cluster
from sparktest.kube.jobs import STOP, build_job
from sparktest.kube.pods import Object, uid_of

log = logging.getLogger(__name__)

# How long a refusal to create a Job, or what its Events said, is believed before asking again.
ASK_AGAIN = timedelta(seconds=10)


class JobActions:
    """The steps that concern Jobs and pods; see Actions."""

    def __init__(
        self,
        cluster: Cluster,
        views: Views,
        *,
        later: Callable[[Key, float], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._views = views
        self._later = later
        self._clock = clock

    def create(self, step: steps.CreateJob, known: Known, memo: Memo) -> bool:
        """Create the run's Job, or take up the one that a pass before this one created."""
        run = known.run
        if run is None:
            return True
        try:
            job = self._cluster.create(JOBS, run.namespace, build_job(run))
            log.info("job created run_id=%s key=%s/%s", run.id, *known.key)
        except ConflictError:
            job = self._cluster.get(JOBS, *known.key)
            if not belongs(job, run):
                memo.refusal = name_conflict(known.key)
                return True
        except ForbiddenError as error:
            self._held_up(error.detail, run, known, memo)
            return True
        except (InvalidError, NotFoundError, TooLargeError) as error:
            # NotFound: the namespace is not there.
            log.warning("job refused run_id=%s error=%s", run.id, error.detail)
            memo.refusal = outcome.failure_of(FailureClass.CONFIG, _word(error), error.detail)
            return True
        memo.job_uid = uid_of(job)
        self._views.put(JOBS, job)
        return True

    def stop(self, step: steps.Stop, known: Known, memo: Memo) -> bool:
        """Note the reason on the Job, then end its pod in a way that keeps pod and log."""
        job = known.own_job
        if job is None:
            return True
        if outcome.stop_of(job) is None:
            noted = {"metadata": {"annotations": {STOP: outcome.note(step.failure)}}}
            job = self._patch_job(job, known.key, noted)
            log.info("stop run_id=%s reason=%s", known.run_id, step.failure.reason)
        # Live: to suspend deletes a pod and its log, so a pod that the cache lacks must be seen.
        uid = uid_of(job)
        pods = [pod for pod in self._views.read_pods(known.key) if owner_uid(pod) in (None, uid)]
        pod = podstate.current(pods)
        if pod is None or not podstate.scheduled(pod):
            self._patch_job(job, known.key, {"spec": {"suspend": True}})
        elif not podstate.terminal(pod):
            self._end(pod)
        return False

    def remove(self, step: steps.Remove, known: Known, memo: Memo) -> bool:
        """Delete the Job and its pod."""
        try:
            self._cluster.delete(JOBS, *known.key, uid=uid_of(known.job))
            log.info("job removed run_id=%s key=%s/%s", known.run_id, *known.key)
        except (NotFoundError, ConflictError):
            pass
        return False

    def patch_ttl(self, step: steps.PatchTtl, known: Known, memo: Memo) -> bool:
        """Have Kubernetes delete the finished Job in time."""
        if known.job is None:
            return True
        try:
            patch = {"spec": {"ttlSecondsAfterFinished": step.seconds}}
            self._patch_job(known.job, known.key, patch)
        except NotFoundError:
            return False
        return True

    def read_events(self, step: steps.ReadEvents, known: Known, memo: Memo) -> bool:
        """Learn why the Job has no pod."""
        selector = f"involvedObject.kind=Job,involvedObject.uid={uid_of(known.job)}"
        memo.events = self._cluster.list(EVENTS, known.key[0], field_selector=selector).items
        memo.events_until = self._clock() + ASK_AGAIN
        self._later(known.key, ASK_AGAIN.total_seconds())
        return True

    def _held_up(self, message: str, run: Run, known: Known, memo: Memo) -> None:
        memo.held_up = patience.refused(message, patience.time_is_up(run, None), self._clock())
        memo.held_up_until = self._clock() + ASK_AGAIN
        self._later(known.key, ASK_AGAIN.total_seconds())
        log.warning("job not created run_id=%s error=%s", run.id, message)

    def _end(self, pod: Object) -> None:
        metadata = podstate.section(pod, "metadata")
        patch = {
            "metadata": {"uid": metadata["uid"]},
            "spec": {"activeDeadlineSeconds": outcome.STOP_DEADLINE_SECONDS},
        }
        try:
            after = self._cluster.patch(PODS, metadata["namespace"], metadata["name"], patch)
        except NotFoundError:
            return
        self._views.put(PODS, after)

    def _patch_job(self, job: Object, key: Key, patch: dict[str, Any]) -> Object:
        # With the uid in it, a merge patch is refused when another Job has the name.
        metadata = {"uid": uid_of(job)} | patch.get("metadata", {})
        after = self._cluster.patch(JOBS, *key, patch | {"metadata": metadata})
        self._views.put(JOBS, after)
        return after


def _word(error: Exception) -> str:
    return "NamespaceNotFound" if isinstance(error, NotFoundError) else "Invalid"
