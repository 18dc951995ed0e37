"""What is left to do for a run that ends, has ended or was deleted. Pure."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from sparktest.controller.observation import Observation, belongs_to
from sparktest.controller.status import update_status
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
from sparktest.kube.outcome import final_status
from sparktest.kube.views import JobView, main_pod


def failed_report(failure: Failure, now: datetime) -> RunReport:
    """Return the report of a run that ends without an outcome of its Job."""
    return RunReport(status=final_status(failure), finished_at=now, failure=failure)


def report_end(observed: Observation, run: Run, report: RunReport) -> Iterator[Step]:
    """Report the end, but not before the log is stored as far as possible."""
    if observed.log_in_progress:
        return
    if observed.log is None and observed.pod is not None and observed.pod.has_log:
        yield FollowLog()
        return
    log = observed.log or _missing_log(run, report)
    yield ReportRun(msgspec.structs.replace(report, log=log))


def _missing_log(run: Run, report: RunReport) -> Log:
    if run.log.bytes:
        reason = report.failure.reason if report.failure else "PodDeleted"
        return Log(state=LogState.PARTIAL, reason=reason, bytes=run.log.bytes)
    reason = "NotStarted" if report.started_at is None else "PodDeleted"
    return Log(state=LogState.NONE, reason=reason)


def finish(observed: Observation, run: Run, now: datetime) -> Iterator[Step]:
    """Write the status, let the Job go and release the TestRun, once the final report is stored."""
    yield from update_status(observed, now)
    yield from _delete_active_pod(observed, run)
    yield from set_ttl(observed)
    yield from release(observed)


def _delete_active_pod(observed: Observation, run: Run) -> Iterator[Step]:
    """Delete the Job of a pod that outlives its run, for example because of a sidecar."""
    pod = main_pod(observed.pods)
    if pod is None or observed.job is None or not belongs_to(observed.job, run):
        return
    if pod.is_active and pod.deletion_requested_at is None:
        yield DeleteJob() if observed.is_live else ReadLive()


def set_ttl(observed: Observation) -> Iterator[Step]:
    """Give the run's own Job its TTL, now that log and outcome are stored."""
    job = _own_job(observed)
    if job is None or observed.ttl_seconds is None or job.ttl_seconds is not None:
        return
    if job.suspend and not job.is_finished:
        # It was stopped before its pod had a node, and a TTL never deletes an unfinished Job.
        yield DeleteJob()
    else:
        yield PatchJobTtl(observed.ttl_seconds)


def _own_job(observed: Observation) -> JobView | None:
    """Return the run's own Job; without a run, the Job that the TestRun owns."""
    if observed.run is not None:
        return observed.own_job
    job, testrun = observed.job, observed.testrun
    return job if job and testrun and job.owner_uid == testrun.uid else None


def release(observed: Observation) -> Iterator[Step]:
    """Take the finalizer off the TestRun."""
    if observed.has_finalizer:
        yield ReleaseFinalizer()


def clean_up_deleted_run(observed: Observation, now: datetime) -> Iterator[Step]:
    """Delete the Job of a run that was deleted in the API; its TestRun stays."""
    if observed.job is not None and observed.job.run_id:
        yield DeleteJob()
    if not observed.status_is_final:
        yield from update_status(observed, now)
    yield from release(observed)
