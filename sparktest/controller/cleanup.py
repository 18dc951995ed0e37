"""Plan what is left to do for a run that ends, has ended or was deleted. Pure."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from sparktest.controller import run_logs
from sparktest.controller.observation import Observation, namespace_deleted
from sparktest.controller.status import read_end, update_status
from sparktest.controller.steps import (
    CheckNamespace,
    CollectLog,
    DeleteJob,
    PatchJobTtl,
    ReadEvents,
    ReadLive,
    ReleaseFinalizer,
    ReportRun,
    RequeueAt,
    Step,
    WaitForLog,
)
from sparktest.domain import Failure, Run, RunReport, Status
from sparktest.kube.outcome import add_log_details, compute_report, final_status
from sparktest.kube.probe_failures import add_probe_failure, needs_events_at
from sparktest.kube.views import JobView

# The deletion of a namespace deletes objects of a run in any order, and looks like one of these.
DELETIONS = ("PodDeleted", "JobDeleted", "ObjectDeleted", "ObjectGone")


def failed_report(failure: Failure, now: datetime) -> RunReport:
    """Return the final report of a run that fails without an outcome from its Job."""
    return RunReport(status=final_status(failure), finished_at=now, failure=failure)


def report_outcome(
    observed: Observation, run: Run, report: RunReport, now: datetime
) -> Iterator[Step]:
    """Report the end of the run's Job, after the pod's Events were read if they may change it."""
    events_at = needs_events_at(run, report, observed.end_seen_at)
    if events_at and observed.end_events is None:
        yield from (CollectLog(name) for name in run_logs.to_collect(observed, run))
        yield RequeueAt(events_at) if now < events_at else ReadEvents()
        return
    yield from report_end(observed, run, add_probe_failure(report, run, observed.end_events or ()))


def report_end(observed: Observation, run: Run, report: RunReport) -> Iterator[Step]:
    """Report the end, after the logs have been stored as far as possible."""
    if report.failure and report.failure.reason in DELETIONS:
        if observed.namespace_deleted is None:
            yield CheckNamespace()
            return
        if observed.namespace_deleted:
            failure = namespace_deleted(run)
            report = msgspec.structs.replace(report, status=Status.FAILED, failure=failure)
    missing = run_logs.to_collect(observed, run)
    if missing or observed.logs_in_progress:
        yield from (CollectLog(name) for name in missing)
        yield WaitForLog()
        return
    report = add_log_details(report, run, observed.logs)
    yield ReportRun(msgspec.structs.replace(report, log=run_logs.log_state(observed, run, report)))


def report_again(observed: Observation, run: Run, now: datetime) -> Iterator[Step]:
    """Report the end that the TestRun's status has, to an API that does not have it.

    The status is written after the API has stored the end, so the database was restored, or it is
    the status of another SparkTest.
    """
    if observed.testrun is None or not observed.is_live:
        # The run may have been read before its end was stored.
        yield ReadLive()
        return
    end = read_end(observed.testrun.status)
    job = observed.own_job
    report = compute_report(run, job, observed.own_pods, now) if job else end
    report = msgspec.structs.replace(
        report,
        status=end.status,
        started_at=end.started_at or report.started_at,
        finished_at=end.finished_at or report.finished_at,
        failure=end.failure,
    )
    yield from report_end(observed, run, report)


def finish(observed: Observation, now: datetime) -> Iterator[Step]:
    """Write the status, clean up the Job and release the TestRun."""
    yield from update_status(observed, now)
    yield from _delete_active_pod(observed)
    yield from set_ttl(observed)
    yield from release(observed)


def _delete_active_pod(observed: Observation) -> Iterator[Step]:
    """Delete the Job if its pod outlives the test, for example because of a sidecar."""
    pod = observed.pod
    if observed.own_job and pod and pod.is_active and pod.deletion_requested_at is None:
        yield DeleteJob() if observed.is_live else ReadLive()


def set_ttl(observed: Observation) -> Iterator[Step]:
    """Set the TTL of the run's own Job."""
    job = _own_job(observed)
    if job is None or observed.ttl_seconds is None or job.ttl_seconds is not None:
        return
    if job.suspend and not job.is_finished:
        # Stopped before its pod had a node: it never finishes, so a TTL would never delete it.
        yield DeleteJob()
    else:
        yield PatchJobTtl(observed.ttl_seconds)


def _own_job(observed: Observation) -> JobView | None:
    """Return the run's own Job; if the run is unknown, the Job that the TestRun owns."""
    if observed.run is not None:
        return observed.own_job
    job, testrun = observed.job, observed.testrun
    return job if job and testrun and job.owner_uid == testrun.uid else None


def release(observed: Observation) -> Iterator[Step]:
    """Release the TestRun for deletion."""
    if observed.has_finalizer:
        yield ReleaseFinalizer()


def clean_up_deleted_run(observed: Observation, now: datetime) -> Iterator[Step]:
    """Delete the Job of a run that was deleted in the API, and release its TestRun."""
    if observed.job is not None and observed.job.run_id:
        yield DeleteJob()
    if not observed.status_is_final:
        yield from update_status(observed, now)
    yield from release(observed)
