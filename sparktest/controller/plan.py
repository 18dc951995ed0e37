"""Plan the next steps of a run from what was observed of it. Pure.

Each reconcile starts over from the current state: nothing depends on having seen an event or on
having finished the last plan. The order within a run: add the finalizer, register, create the
Job, report, and write the status last.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from sparktest.controller import cleanup, run_logs
from sparktest.controller.observation import Observation, Registration, name_conflict
from sparktest.controller.status import (
    acknowledge_change,
    handle_api_down,
    status_names_other_run,
    update_status,
)
from sparktest.controller.steps import (
    AddFinalizer,
    ClaimRun,
    CollectLog,
    CreateJob,
    FetchRun,
    ReadEvents,
    ReadLive,
    Register,
    ReportRun,
    RequeueAt,
    Step,
    StopJob,
)
from sparktest.domain import Failure, FailureClass, Run, RunReport, Status
from sparktest.kube import outcome, wait_policy
from sparktest.kube.views import JobView
from sparktest.kube.wait_policy import Wait


def plan(observed: Observation, now: datetime) -> list[Step]:
    """Return the steps to execute now, in order.

    While the API is down, the plan ends before the first step that needs it. The steps before it
    still stop the tests of runs that were read before the outage.
    """
    steps: list[Step] = []
    for step in _steps(observed, now):
        if step.needs_api and observed.api_error is not None:
            return [*steps, *handle_api_down(observed, now)]
        steps.append(step)
        if isinstance(step, ReadLive):
            # Plan the rest again with what it reads.
            break
    return steps


def is_done(observed: Observation) -> bool:
    """Return True if nothing is left to do for the run."""
    job = observed.job
    if observed.verify_exists and observed.run_id:
        return False
    if observed.registration is Registration.DELETED and job is not None and job.run_id:
        return False
    if observed.run is not None and not observed.run.status.final:
        return False
    if observed.testrun is not None:
        ended = observed.status_is_final and not observed.has_finalizer
        return ended and not observed.is_unknown_to_api and not status_names_other_run(observed)
    return job is None or (job.is_finished and job.ttl_seconds is not None)


def _steps(observed: Observation, now: datetime) -> Iterator[Step]:
    if is_done(observed):
        yield from acknowledge_change(observed)
    elif observed.verify_exists and observed.run_id:
        yield from _verify(observed, observed.run_id)
    elif observed.registration is Registration.DELETED:
        yield from cleanup.clean_up_deleted_run(observed, now)
    elif observed.run is None:
        yield from _without_run(observed, now)
    elif observed.run.status.final:
        yield from cleanup.finish(observed, now)
    elif observed.run.cluster is None:
        yield ClaimRun()
    elif observed.run.cluster == observed.cluster:
        yield from _unfinished(observed, observed.run, now)


def _verify(observed: Observation, run_id: str) -> Iterator[Step]:
    run, job, stop = observed.run, observed.own_job, observed.requested_stop
    unfinished = run is not None and not run.status.final
    if unfinished and stop and job and not (job.is_finished or _stop_is_complete(observed, job)):
        # First: the API may not answer.
        yield StopJob(job.stop_reason or stop)
    yield FetchRun(run_id)


# --- before there is a run, and after it was deleted ---------------------------------------------


def _without_run(observed: Observation, now: datetime) -> Iterator[Step]:
    if observed.testrun is None:
        # A Job whose run never existed in this API belongs to another SparkTest.
        if observed.run_id and observed.registration is Registration.UNKNOWN:
            yield FetchRun(observed.run_id)
    elif observed.registration is Registration.REJECTED:
        yield from update_status(observed, now)
        yield from cleanup.release(observed)
    elif observed.status_is_final and observed.is_unknown_to_api:
        # The spec of a finished TestRun is not cached.
        yield Register() if observed.is_live else ReadLive()
    elif observed.status_is_final:
        yield from cleanup.set_ttl(observed)
        yield from cleanup.release(observed)
    elif observed.has_finalizer:
        yield Register()
    elif not observed.is_deleting:
        yield AddFinalizer()


# --- a run that has not ended --------------------------------------------------------------------


def _unfinished(observed: Observation, run: Run, now: datetime) -> Iterator[Step]:
    job = observed.own_job
    if observed.status_is_final:
        yield from cleanup.report_again(observed, run, now)
    elif job is not None:
        yield from _with_job(observed, run, job, now)
    elif observed.job_uid is not None:
        yield from _job_deleted(observed, run, now)
    else:
        yield from _without_job(observed, run, now)


def _without_job(observed: Observation, run: Run, now: datetime) -> Iterator[Step]:
    if observed.requested_stop:
        yield from _fail(observed, run, observed.requested_stop, now)
    elif observed.testrun_missing or observed.job is not None:
        # The caches may lag: confirm a missing TestRun or a foreign Job by a live read.
        if observed.is_live:
            yield from _fail(observed, run, name_conflict(observed.key), now)
        else:
            yield ReadLive()
    elif observed.permanent_error:
        yield from _fail(observed, run, observed.permanent_error, now)
    elif observed.creation_wait:
        yield from _wait_to_create(observed, run, observed.creation_wait, now)
    else:
        yield CreateJob() if observed.just_fetched else FetchRun(run.id)


def _fail(observed: Observation, run: Run, failure: Failure, now: datetime) -> Iterator[Step]:
    yield from cleanup.report_end(observed, run, cleanup.failed_report(failure, now))


def _job_deleted(observed: Observation, run: Run, now: datetime) -> Iterator[Step]:
    if not observed.is_live:
        yield ReadLive()
        return
    report = outcome.compute_report(run, None, observed.own_pods, now)
    report = msgspec.structs.replace(report, job_uid=observed.job_uid)
    if report.failure and report.failure.reason == "JobDeleted":
        message = "the TestRun and its Job are gone"
        failure = observed.requested_stop or report.failure
        if observed.testrun_missing:
            failure = Failure(FailureClass.INFRA, "ObjectGone", message)
        status = outcome.final_status(failure)
        report = msgspec.structs.replace(report, status=status, failure=failure)
    yield from cleanup.report_outcome(observed, run, report, now)


def _with_job(observed: Observation, run: Run, job: JobView, now: datetime) -> Iterator[Step]:
    pod = observed.pod
    report = outcome.compute_report(run, job, observed.own_pods, now)
    if report.status.final:
        certain = observed.is_live or (pod is not None and pod.is_terminal)
        yield from cleanup.report_outcome(observed, run, report, now) if certain else [ReadLive()]
        return
    wait = _current_wait(observed, run, job, now)
    expired = wait.expired(now) if wait else None
    failure = job.stop_reason or observed.requested_stop or expired
    if failure and not _stop_is_complete(observed, job):
        yield StopJob(failure)
    elif observed.testrun_missing and not failure:
        yield ReadLive()
    yield from (CollectLog(name) for name in run_logs.to_collect(observed, run))
    needs_events_at = wait_policy.needs_events_at(job, pod)
    if observed.events is None and needs_events_at:
        yield RequeueAt(needs_events_at) if now < needs_events_at else ReadEvents()
    yield from _report_progress(observed, run, report, wait, now)


def _current_wait(observed: Observation, run: Run, job: JobView, now: datetime) -> Wait | None:
    if observed.pod is None:
        return wait_policy.missing_pod_wait(run, job, observed.events or [], now)
    return wait_policy.pod_wait(
        run,
        job,
        observed.pod,
        now,
        events=observed.events or (),
        since=observed.waiting_since or now,
        image_pull_timeout_seconds=observed.image_pull_timeout_seconds,
    )


def _stop_is_complete(observed: Observation, job: JobView) -> bool:
    """Return True if the stop reason is on the Job and its pod is being ended."""
    if job.stop_reason is None:
        return False
    pod = observed.pod
    out_of_time = (
        pod is not None
        and bool(pod.node_name)
        and pod.active_deadline_seconds == outcome.STOP_DEADLINE_SECONDS
        and not wait_policy.waits_for_volume(pod, observed.events or ())
    )
    return job.suspend or out_of_time


def _wait_to_create(observed: Observation, run: Run, wait: Wait, now: datetime) -> Iterator[Step]:
    """Keep the run pending until its Job can be created or the wait expires."""
    failure = wait.expired(now)
    if failure:
        yield from _fail(observed, run, failure, now)
        return
    report = RunReport(status=Status.PENDING)
    yield from _report_progress(observed, run, report, wait, now)


def _report_progress(
    observed: Observation, run: Run, report: RunReport, wait: Wait | None, now: datetime
) -> Iterator[Step]:
    """Report the progress of an unfinished run, and requeue it for its next deadline."""
    if report.status is Status.PENDING and wait:
        report = msgspec.structs.replace(
            report, status_reason=wait.reason, status_message=wait.message or None
        )
    if report != observed.last_report and _is_changed(run, report):
        yield ReportRun(report)
        return
    yield from update_status(observed, now)
    deadlines = (
        wait.until if wait else None,
        outcome.lost_deadline(observed.pod),
        wait_policy.init_shown_at(observed.pod),
    )
    yield from (RequeueAt(at) for at in deadlines if at and now < at)


def _is_changed(run: Run, report: RunReport) -> bool:
    if report.status.rank < run.status.rank:
        return False
    if report.status_reason != run.status_reason:
        return True
    new = (report.status, report.job_uid, report.started_at)
    old = (run.status, run.job_uid, run.started_at)
    return any(value is not None and value != was for value, was in zip(new, old, strict=True))
