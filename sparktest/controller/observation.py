"""Observation: everything known about a run at one moment; all that a plan may depend on."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from sparktest.controller.testruns import Key, TestRunView
from sparktest.domain import Failure, FailureClass, Log, Origin, Run, RunReport
from sparktest.kube.views import EventView, JobView, PodView, main_pod
from sparktest.kube.wait_policy import Wait


class Registration(StrEnum):
    """Whether the API has the run.

    DELETED: it had it, and the run was deleted there. NOT_FOUND: it never had it. REJECTED: it
    refuses to register the TestRun.
    """

    UNKNOWN = "unknown"
    REGISTERED = "registered"
    DELETED = "deleted"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A run as seen from all sources.

    Attributes:
        key: namespace and Job name.
        cluster: the uid of this cluster.
        testrun: the TestRun with this key; None for an API run.
        run: as the API last answered it.
        just_fetched: `run` was read within the last seconds.
        job: the Job with this key, whoever created it.
        job_uid: the uid of the run's own Job, once it has been created.
        pods: the pods of a Job with this name.
        events: the Job's Events; None while they have not been read.
        log: what is stored of the log; None before that has ended.
        log_in_progress: the log is being stored.
        permanent_error: why the run can never be registered, or its Job never be created.
        creation_wait: why its Job cannot be created now.
        last_report: the last report that was sent.
        last_status: the last status that was written to the TestRun.
        waiting_since: when what blocks the container last changed.
        is_live: TestRun, Job, pods and run were just read from their sources, not from caches.
        verify_exists: ask the API even about a finished run: it may have been deleted there.
        api_error: why the API does not answer; None while it does.
        api_down_since: when it stopped answering.
        api_run_ttl_seconds: how long the Job of an API run stays if the run has no TTL of its own.
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
    log: Log | None = None
    log_in_progress: bool = False
    permanent_error: Failure | None = None
    creation_wait: Wait | None = None
    last_report: RunReport | None = None
    last_status: dict[str, Any] | None = None
    waiting_since: datetime | None = None
    is_live: bool = False
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
        """True if there is a TestRun that somebody asked to delete."""
        return self.testrun is not None and self.testrun.is_deleting

    @property
    def status_is_final(self) -> bool:
        """True if there is a TestRun with a final status."""
        return self.testrun is not None and self.testrun.status_is_final

    @property
    def run_id(self) -> str | None:
        """The run's id, from the run, the TestRun's status or the Job's label."""
        if self.run is not None:
            return self.run.id
        in_status: str | None = self.testrun.status.get("runId") if self.testrun else None
        return in_status or (self.job.run_id if self.job else None)

    @property
    def own_job(self) -> JobView | None:
        """The run's own Job: by uid once that is known, before that by owner or label."""
        if self.job is None or self.run is None:
            return None
        if self.job_uid is not None:
            return self.job if self.job.uid == self.job_uid else None
        return self.job if belongs_to(self.job, self.run) else None

    @property
    def own_pods(self) -> list[PodView]:
        """The pods of the run's own Job."""
        own = self.own_job
        uid = self.job_uid or (own.uid if own else None)
        return [pod for pod in self.pods if pod.owner_uid in (None, uid)]

    @property
    def pod(self) -> PodView | None:
        """The pod whose status counts."""
        return main_pod(self.own_pods)

    @property
    def requested_stop(self) -> Failure | None:
        """Why somebody wants the run to end early; None if nobody does."""
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
        """True if the run came from a TestRun that is not there."""
        return self.run is not None and self.run.origin is Origin.CRD and self.testrun is None

    @property
    def ttl_seconds(self) -> int | None:
        """How long the finished Job may stay; None for as long as its TestRun."""
        if self.run is None:
            return self.testrun.ttl_seconds if self.testrun else None
        if self.run.ttl_seconds_after_finished is not None or self.run.origin is Origin.CRD:
            return self.run.ttl_seconds_after_finished
        return self.api_run_ttl_seconds


def belongs_to(job: JobView, run: Run) -> bool:
    """Return True if the Job was created for this run: owned by its TestRun, or labelled."""
    if run.origin is Origin.CRD and run.k8s_ref is not None:
        return job.owner_uid == run.k8s_ref.uid
    return job.run_id == run.id


def name_conflict(key: Key) -> Failure:
    """Return the failure of a run whose Job name is taken."""
    message = f"a Job {key[0]}/{key[1]} that is not this run's is in the way; delete it"
    return Failure(FailureClass.CONFIG, "NameConflict", message)
