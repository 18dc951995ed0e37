"""What is known of a run at one moment: all that a plan may depend on."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from sparktest.controller import testruns
from sparktest.controller.testruns import Key
from sparktest.domain import Failure, FailureClass, Log, Origin, Run, RunReport
from sparktest.kube import pods as pod_status
from sparktest.kube.jobs import RUN_ID
from sparktest.kube.outcome import make_failure
from sparktest.kube.pods import Object, section
from sparktest.kube.wait_policy import Wait


class Registration(StrEnum):
    """What the API says of the run.

    GONE: it was there and has been deleted. ABSENT: it never was. REFUSED: it cannot be
    registered.
    """

    UNKNOWN = "unknown"
    REGISTERED = "registered"
    DELETED = "deleted"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A run as seen from all sources.

    Attributes:
        key: namespace and Job's name.
        cluster: the uid of this cluster.
        testrun: the TestRun with this key, None for none (and for an API run).
        run: as the API had it last.
        fresh: `run` was read just now.
        job: the Job of that name, whoever made it.
        job_uid: the uid of the run's own Job once it has been created.
        pods: the pods of a Job of that name.
        events: the Job's Events, None while they have not been read.
        log: what is stored of the log, None while that goes on or has not begun.
        following: the log is being stored.
        refusal: why the run cannot be registered, or its Job not be created, ever.
        held_up: why its Job cannot be created now.
        reported: the last report that went out.
        told: the last status that was written to the TestRun.
        trouble_since: since when the pod is in the trouble it is in.
        live: TestRun, Job, pods and run were read from where they are, just now.
        audit: ask the API even of what is finished: it may have been deleted there.
        api_error: what hinders the API from answering, None when it answers.
        api_down_since: since when.
        pull_seconds: the patience with an image that cannot be pulled.
        api_ttl_seconds: how long the Job of an API run stays, unless the run says so itself.
    """

    key: Key
    cluster: str
    testrun: Object | None = None
    run: Run | None = None
    registration: Registration = Registration.UNKNOWN
    just_fetched: bool = False
    job: Object | None = None
    job_uid: str | None = None
    pods: list[Object] = []
    events: list[Object] | None = None
    log: Log | None = None
    following: bool = False
    permanent_error: Failure | None = None
    creation_wait: Wait | None = None
    last_report: RunReport | None = None
    last_status: dict[str, Any] | None = None
    waiting_since: datetime | None = None
    live: bool = False
    verify_exists: bool = False
    api_error: str | None = None
    api_down_since: datetime | None = None
    pull_seconds: int = 90
    api_ttl_seconds: int = 3600

    @property
    def has_finalizer(self) -> bool:
        """Whether there is a TestRun with our finalizer."""
        return self.testrun is not None and testruns.has_finalizer(self.testrun)

    @property
    def is_deleting(self) -> bool:
        """Whether there is a TestRun that somebody asked to delete."""
        return self.testrun is not None and testruns.is_deleting(self.testrun)

    @property
    def status_is_final(self) -> bool:
        """Whether there is a TestRun whose status is final."""
        return self.testrun is not None and testruns.status_is_final(self.testrun)

    @property
    def run_id(self) -> str | None:
        """The run's id, as far as anything here tells it."""
        if self.run is not None:
            return self.run.id
        status_id: str | None = section(self.testrun, "status").get("runId")
        return status_id or run_id_of(self.job)

    @property
    def own_job(self) -> Object | None:
        """The run's own Job: by uid once it is known, before that by whom it belongs to."""
        if self.job is None or self.run is None:
            return None
        if self.job_uid is not None:
            return self.job if pod_status.uid_of(self.job) == self.job_uid else None
        return self.job if belongs_to(self.job, self.run) else None

    @property
    def own_pods(self) -> list[Object]:
        """The pods of the run's own Job."""
        uid = self.job_uid or pod_status.uid_of(self.own_job)
        return [pod for pod in self.pods if owner_uid(pod) in (None, uid)]

    @property
    def pod(self) -> Object | None:
        """The pod that speaks for the run."""
        return pod_status.main_pod(self.own_pods)

    @property
    def requested_stop(self) -> Failure | None:
        """Why the run shall end before its time, None when it may go on."""
        kind = FailureClass.CANCELLED
        if self.is_deleting:
            return make_failure(kind, "ObjectDeleted", "the TestRun was deleted")
        if self.testrun is not None and testruns.is_cancelled(self.testrun):
            return make_failure(kind, "Cancelled", "spec.cancelled was set to true")
        if self.run is not None and self.run.cancel_requested_at:
            return make_failure(kind, "Cancelled", "the run was cancelled in SparkTest")
        if self.testrun_missing and self.live:
            return make_failure(kind, "ObjectDeleted", "the TestRun is gone")
        return None

    @property
    def testrun_missing(self) -> bool:
        """Whether the run came from a TestRun that is not there."""
        return self.run is not None and self.run.origin is Origin.CRD and self.testrun is None

    @property
    def ttl_seconds(self) -> int | None:
        """How long the finished Job may stay; None for as long as its TestRun."""
        if self.run is None:
            return testruns.ttl_seconds(self.testrun) if self.testrun else None
        if self.run.ttl_seconds_after_finished is not None or self.run.origin is Origin.CRD:
            return self.run.ttl_seconds_after_finished
        return self.api_ttl_seconds


def belongs_to(job: Object, run: Run) -> bool:
    """Whether the Job was made for this run: owned by its TestRun, or labelled with its id."""
    if run.origin is Origin.CRD and run.k8s_ref is not None:
        return owner_uid(job) == run.k8s_ref.uid
    return run_id_of(job) == run.id


def owner_uid(obj: Object) -> str | None:
    """The uid of the object's controller, None for none."""
    for owner in section(obj, "metadata").get("ownerReferences") or []:
        if owner.get("controller"):
            return str(owner.get("uid"))
    return None


def run_id_of(job: Object | None) -> str | None:
    """The id of the run that the Job is labelled with."""
    found: str | None = (section(job, "metadata").get("labels") or {}).get(RUN_ID)
    return found


def is_finished(job: Object | None) -> bool:
    """Whether Kubernetes counts the Job as finished, so that a TTL takes it away."""
    return bool(pod_status.condition(job, "Complete") or pod_status.condition(job, "Failed"))


def name_conflict(key: Key) -> Failure:
    """The failure of a run whose Job's name is taken."""
    message = f"a Job {key[0]}/{key[1]} that is not this run's is in the way; delete it"
    return make_failure(FailureClass.CONFIG, "NameConflict", message)
