"""What is left to do for a run that ends, has ended or was deleted. Pure."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from sparktest.controller import notices
from sparktest.controller.observation import (
    Observation,
    belongs_to,
    is_finished,
    owner_uid,
    run_id_of,
)
from sparktest.controller.steps import (
    DeleteJob,
    FollowLog,
    PatchJobTtl,
    ReadLive,
    ReleaseFinalizer,
    ReportRun,
    Step,
)
from sparktest.domain import Failure, Log, LogState, Run, RunReport
from sparktest.kube import outcome
from sparktest.kube import pods as pod_status
from sparktest.kube.pods import Object, section, uid_of


def ended(failure: Failure, now: datetime) -> RunReport:
    """The report of a run that ends without its Job having run to an end."""
    return RunReport(status=outcome.status_of(failure), finished_at=now, failure=failure)


def close(observed: Observation, run: Run, report: RunReport) -> Iterator[Step]:
    """Report the end, but not before the log is stored as far as it can be."""
    if observed.following:
        return
    if observed.log is None and pod_status.has_log(observed.pod):
        yield FollowLog()
        return
    yield ReportRun(msgspec.structs.replace(report, log=observed.log or _no_log(run, report)))


def _no_log(run: Run, report: RunReport) -> Log:
    if run.log.bytes:
        reason = report.failure.reason if report.failure else "PodDeleted"
        return Log(state=LogState.PARTIAL, reason=reason, bytes=run.log.bytes)
    reason = "NotStarted" if report.started_at is None else "PodDeleted"
    return Log(state=LogState.NONE, reason=reason)


def final(observed: Observation, run: Run, now: datetime) -> Iterator[Step]:
    """What is left once the API has taken the final report: status, TTL, finalizer."""
    yield from notices.tell(observed, now)
    yield from _leftover(observed, run)
    yield from ttl(observed)
    yield from release(observed)


def _leftover(observed: Observation, run: Run) -> Iterator[Step]:
    """End a pod that goes on although its run has ended: a container beside the test, for one."""
    pod = pod_status.main_pod(observed.pods)
    if observed.job is None or not belongs_to(observed.job, run):
        return
    if pod_status.is_active(pod) and pod_status.deletion_asked_at(pod) is None:
        yield DeleteJob() if observed.live else ReadLive()


def ttl(observed: Observation) -> Iterator[Step]:
    """Let the Job go in time, now that its log and outcome are stored."""
    job = _own_job(observed)
    spec = section(job, "spec")
    if job is None or observed.ttl_seconds is None or "ttlSecondsAfterFinished" in spec:
        return
    if spec.get("suspend") and not is_finished(job):
        # It was stopped before it had a node, and a TTL never takes a Job that did not finish.
        yield DeleteJob()
    else:
        yield PatchJobTtl(observed.ttl_seconds)


def _own_job(observed: Observation) -> Object | None:
    """The Job of that name, unless it is somebody else's."""
    if observed.run is not None:
        return observed.own_job
    return (
        observed.job
        if observed.job and owner_uid(observed.job) == uid_of(observed.testrun)
        else None
    )


def release(observed: Observation) -> Iterator[Step]:
    """Let the TestRun go."""
    if observed.has_finalizer:
        yield ReleaseFinalizer()


def deleted(observed: Observation, now: datetime) -> Iterator[Step]:
    """What is left of a run that was deleted in the API: its Job goes, its TestRun stays."""
    if run_id_of(observed.job):
        yield DeleteJob()
    if not observed.status_is_final:
        yield from notices.tell(observed, now)
    yield from release(observed)
