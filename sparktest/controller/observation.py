"""Observation: a snapshot of everything known about a run; the input of a plan."""

from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec

from sparktest.controller.testruns import Key, TestRunView
from sparktest.domain import Failure, FailureClass, Origin, Run, RunReport
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.pod_view import PodView, main_pod
from sparktest.kube.views import EventView, JobView
from sparktest.kube.wait_policy import Wait


class Registration(StrEnum):
    """State of a run's registration in the API.

    DELETED: the run existed and was deleted. NOT_FOUND: it never existed, or another cluster has
    it. REJECTED: the API refuses to register the TestRun.
    """

    UNKNOWN = "unknown"
    REGISTERED = "registered"
    DELETED = "deleted"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"


class Observation(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A run as seen by all sources.

    Attributes:
        key: namespace and Job name.
        cluster: the uid of this cluster.
        testrun: the TestRun with this key; None for an API run.
        run: the run as last read from the API.
        just_fetched: `run` was read within the last seconds.
        job: the Job with this key, even if it belongs to another run.
        job_uid: the uid of the run's own Job; None before that is created.
        pods: the pods of any Job with this name.
        events: the Events of the pod, else of the Job; None unless they were read recently.
        end_events: the Events of the pod after its end; None until they are read.
        end_seen_at: when this controller first saw that the pod has ended; None before that.
        logs: the logs that the collector is done with, by container.
        logs_in_progress: the containers whose logs are being collected.
        permanent_error: why the run can never be registered, or its Job can never be created.
        creation_wait: why its Job cannot be created now.
        last_report: the last report that was sent.
        last_status: the last status that was written to the TestRun.
        waiting_since: when the reason that blocks the container last changed.
        is_live: TestRun, Job, pods and run were just read from their sources, not from caches.
        namespace_deleted: their namespace was deleted or is being deleted; None: not checked.
        verify_exists: fetch even a finished run, since it may have been deleted in the API.
        api_error: why the API is unreachable; None while it is reachable.
        api_down_since: when it became unreachable.
        api_run_ttl_seconds: the default TTL of the Jobs of API runs.
    """

    key: Key
    cluster: str
    testrun: TestRunView | None = None
    run: Run | None = None
    registration: Registration = Registration.UNKNOWN
    just_fetched: bool = False
    job: JobView | None = None
    job_uid: str | None = None
    pods: list[PodView] = []
    events: list[EventView] | None = None
    end_events: list[EventView] | None = None
    end_seen_at: datetime | None = None
    logs: dict[str, CollectedLog] = {}
    logs_in_progress: frozenset[str] = frozenset()
    permanent_error: Failure | None = None
    creation_wait: Wait | None = None
    last_report: RunReport | None = None
    last_status: dict[str, Any] | None = None
    waiting_since: datetime | None = None
    is_live: bool = False
    namespace_deleted: bool | None = None
    verify_exists: bool = False
    api_error: str | None = None
    api_down_since: datetime | None = None
    image_pull_timeout_seconds: int = 90
    api_run_ttl_seconds: int = 3600

    @property
    def has_finalizer(self) -> bool:
        """True if there is a TestRun with the controller's finalizer."""
        return self.testrun is not None and self.testrun.has_finalizer

    @property
    def is_deleting(self) -> bool:
        """True if there is a TestRun that is being deleted."""
        return self.testrun is not None and self.testrun.is_deleting

    @property
    def status_is_final(self) -> bool:
        """True if there is a TestRun with a final status."""
        return self.testrun is not None and self.testrun.status_is_final

    @property
    def is_unknown_to_api(self) -> bool:
        """True if there is a TestRun that was registered, but the API does not know its run."""
        return (
            self.testrun is not None
            and self.run is None
            and self.registration is Registration.NOT_FOUND
        )

    @property
    def run_id(self) -> str | None:
        """The id from the run, the TestRun's status or the Job's label."""
        if self.run is not None:
            return self.run.id
        in_status: str | None = self.testrun.status.get("runId") if self.testrun else None
        return in_status or (self.job.run_id if self.job else None)

    @cached_property
    def own_job(self) -> JobView | None:
        """The run's own Job: found by its uid or, before that is known, by owner or label."""
        if self.job is None or self.run is None:
            return None
        if self.job_uid is not None:
            return self.job if self.job.uid == self.job_uid else None
        return self.job if belongs_to(self.job, self.run) else None

    @cached_property
    def own_pods(self) -> list[PodView]:
        """The pods of the run's own Job."""
        own = self.own_job
        uid = self.job_uid or (own.uid if own else None)
        return [pod for pod in self.pods if pod.owner_uid in (None, uid)]

    @cached_property
    def pod(self) -> PodView | None:
        """The pod whose status counts."""
        return main_pod(self.own_pods)

    @property
    def requested_stop(self) -> Failure | None:
        """Why the run is to be stopped: a delete or a cancel; None otherwise."""
        kind = FailureClass.CANCELLED
        if self.is_deleting:
            return Failure(kind, "ObjectDeleted", "the TestRun was deleted")
        if self.testrun is not None and self.testrun.is_cancelled:
            return Failure(kind, "Cancelled", "spec.cancelled was set to true")
        if self.run is not None and self.run.cancel_requested_at:
            return Failure(kind, "Cancelled", "the run was cancelled in SparkTest")
        if self.testrun_missing and self.is_live:
            return Failure(kind, "ObjectDeleted", "the TestRun is gone")
        return None

    @property
    def testrun_missing(self) -> bool:
        """True if the run came from a TestRun that does not exist (in the cache)."""
        return self.run is not None and self.run.origin is Origin.CRD and self.testrun is None

    @property
    def ttl_seconds(self) -> int | None:
        """The TTL of the finished Job; None if it stays as long as its TestRun."""
        if self.run is None:
            return self.testrun.ttl_seconds if self.testrun else None
        if self.run.ttl_seconds_after_finished is not None or self.run.origin is Origin.CRD:
            return self.run.ttl_seconds_after_finished
        return self.api_run_ttl_seconds


def belongs_to(job: JobView, run: Run) -> bool:
    """Return True if the Job was created for this run, by its owner or else its label."""
    if run.origin is Origin.CRD and run.k8s_ref is not None:
        return job.owner_uid == run.k8s_ref.uid
    return job.run_id == run.id


def namespace_deleted(run: Run) -> Failure:
    """Return the failure of a run whose namespace was deleted."""
    message = f"the namespace {run.namespace} was deleted before the run ended"
    return Failure(FailureClass.INFRA, "NamespaceDeleted", message)


def name_conflict(key: Key) -> Failure:
    """Return the failure of a run whose Job name is taken by another Job."""
    message = f"the Job {key[0]}/{key[1]} exists and belongs to something else; delete it"
    return Failure(FailureClass.CONFIG, "NameConflict", message)
