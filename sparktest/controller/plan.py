"""The law: from what is known of a run, what to do next. Pure.

Each pass starts over from what is there, so nothing depends on having seen an event or on having
finished the last pass. The order inside a run: finalizer, register, create, report, status last.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile

import msgspec

from sparktest.controller import cleanup, notices
from sparktest.controller.observation import (
    Observation,
    Registration,
    is_finished,
    name_conflict,
    run_id_of,
)
from sparktest.controller.steps import (
    AddFinalizer,
    ClaimRun,
    CreateJob,
    FetchRun,
    FollowLog,
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
from sparktest.kube import pods as pod_status
from sparktest.kube.pods import section


def plan(observed: Observation, now: datetime) -> list[Step]:
    """What to do now, in this order; nothing where all is done or only time will tell.

    While the API is away, what needs no API is still done: a test is stopped, a log is read.
    """
    steps = list(_until_confirmed(_steps(observed, now)))
    if observed.api_error is None:
        return steps
    free = list(takewhile(lambda step: not step.needs_api, steps))
    if len(free) == len(steps):
        return steps
    return [*free, *notices.away(observed, now)]


def is_done(observed: Observation) -> bool:
    """Whether nothing is left to do for the run, whatever the API says of it."""
    if observed.verify_exists and observed.run_id:
        return False
    if observed.registration is Registration.DELETED and run_id_of(observed.job):
        return False
    if observed.testrun is not None:
        return observed.status_is_final and not observed.has_finalizer
    if observed.run is not None and not observed.run.status.final:
        return False
    if observed.job is None:
        return True
    return (
        is_finished(observed.job)
        and section(observed.job, "spec").get("ttlSecondsAfterFinished") is not None
    )


def _until_confirmed(steps: Iterator[Step]) -> Iterator[Step]:
    """The steps up to a Confirm: what comes after it is planned on what that has found."""
    for step in steps:
        yield step
        if isinstance(step, ReadLive):
            return


def _steps(observed: Observation, now: datetime) -> Iterator[Step]:
    if is_done(observed):
        return
    if observed.verify_exists and observed.run_id:
        yield FetchRun(observed.run_id)
    elif observed.registration is Registration.DELETED:
        yield from cleanup.deleted(observed, now)
    elif observed.run is None:
        yield from _without_run(observed, now)
    elif observed.run.status.final:
        yield from cleanup.final(observed, observed.run, now)
    elif observed.run.cluster is None:
        yield ClaimRun()
    elif observed.run.cluster == observed.cluster:
        yield from _unfinished(observed, observed.run, now)


# --- before there is a run, and after it was deleted ---------------------------------------------


def _without_run(observed: Observation, now: datetime) -> Iterator[Step]:
    if observed.testrun is None:
        # A Job whose run the API never had is somebody else's.
        if observed.run_id and observed.registration is Registration.UNKNOWN:
            yield FetchRun(observed.run_id)
    elif observed.registration is Registration.REJECTED:
        yield from notices.tell(observed, now)
        yield from cleanup.release(observed)
    elif observed.status_is_final:
        yield from cleanup.ttl(observed)
        yield from cleanup.release(observed)
    elif observed.has_finalizer:
        yield Register()
    elif not observed.is_deleting:
        yield AddFinalizer()


# --- a run that has not ended --------------------------------------------------------------------


def _unfinished(observed: Observation, run: Run, now: datetime) -> Iterator[Step]:
    if observed.own_job is not None:
        yield from _with_job(observed, run, now)
    elif observed.job_uid is not None:
        yield from _job_gone(observed, run, now)
    else:
        yield from _without_job(observed, run, now)


def _without_job(observed: Observation, run: Run, now: datetime) -> Iterator[Step]:
    if observed.requested_stop:
        yield from cleanup.close(observed, run, cleanup.ended(observed.requested_stop, now))
    elif observed.testrun_missing or observed.job is not None:
        # Neither an absent TestRun nor a Job of somebody else is believed from a cache.
        if observed.live:
            yield from cleanup.close(
                observed, run, cleanup.ended(_permanent_failure(observed), now)
            )
        else:
            yield ReadLive()
    elif observed.permanent_error:
        yield from cleanup.close(observed, run, cleanup.ended(observed.permanent_error, now))
    elif observed.creation_wait:
        yield from _waiting(observed, run, observed.creation_wait, now)
    else:
        yield CreateJob() if observed.just_fetched else FetchRun(run.id)


def _permanent_failure(observed: Observation) -> Failure:
    if observed.testrun_missing:
        return outcome.make_failure(FailureClass.INFRA, "ObjectGone", "its TestRun is gone")
    return name_conflict(observed.key)


def _job_gone(observed: Observation, run: Run, now: datetime) -> Iterator[Step]:
    if not observed.live:
        yield ReadLive()
        return
    report = outcome.observe(run, None, observed.own_pods, now)
    report = msgspec.structs.replace(report, job_uid=observed.job_uid)
    if report.failure and report.failure.reason == "JobDeleted":
        gone = "the TestRun and its Job are gone"
        failure = outcome.make_failure(FailureClass.INFRA, "ObjectGone", gone)
        ended = failure if observed.testrun_missing else observed.requested_stop or report.failure
        report = msgspec.structs.replace(report, status=outcome.status_of(ended), failure=ended)
    yield from cleanup.close(observed, run, report)


def _with_job(observed: Observation, run: Run, now: datetime) -> Iterator[Step]:
    job = observed.own_job or {}
    report = outcome.observe(run, job, observed.own_pods, now)
    if report.status.final:
        certain = observed.live or pod_status.terminal(observed.pod)
        yield from cleanup.close(observed, run, report) if certain else [ReadLive()]
        return
    wait = _wait(observed, run, now)
    failure = outcome.stop_reason(job) or observed.requested_stop or _timed_out(wait, now)
    if failure and not _stopping(observed):
        yield StopJob(failure)
    elif observed.testrun_missing and not failure:
        yield ReadLive()
    if pod_status.has_log(observed.pod) and observed.log is None and not observed.following:
        yield FollowLog()
    needs_events_at = wait_policy.needs_events_at(job)
    if observed.pod is None and observed.events is None and needs_events_at and not failure:
        yield RequeueAt(needs_events_at) if now < needs_events_at else ReadEvents()
    yield from _progress(observed, run, report, wait, now)


def _wait(observed: Observation, run: Run, now: datetime) -> wait_policy.Wait | None:
    job = observed.own_job or {}
    if observed.pod is None:
        return wait_policy.missing_pod_wait(run, job, observed.events or [], now)
    since = observed.waiting_since or now
    return wait_policy.pod_wait(
        run, job, observed.own_pods, since=since, pull_seconds=observed.pull_seconds
    )


def _timed_out(wait: wait_policy.Wait | None, now: datetime) -> Failure | None:
    return wait.failure if wait and wait.until and wait.until <= now else None


def _stopping(observed: Observation) -> bool:
    """Whether a stop has been carried out whole: noted on the Job, and its pod given no time."""
    if outcome.stop_reason(observed.own_job) is None:
        return False
    if section(observed.own_job, "spec").get("suspend"):
        return True
    deadline = section(observed.pod, "spec").get("activeDeadlineSeconds")
    return pod_status.scheduled(observed.pod) and deadline == outcome.STOP_DEADLINE_SECONDS


def _waiting(
    observed: Observation, run: Run, wait: wait_policy.Wait, now: datetime
) -> Iterator[Step]:
    """Stay pending without a Job until it can be created or the time is up."""
    failure = _timed_out(wait, now)
    if failure:
        yield from cleanup.close(observed, run, cleanup.ended(failure, now))
        return
    report = RunReport(status=Status.PENDING)
    yield from _progress(observed, run, report, wait, now)


def _progress(
    observed: Observation, run: Run, report: RunReport, wait: wait_policy.Wait | None, now: datetime
) -> Iterator[Step]:
    """Say where a run is that goes on, if that is news, and when its patience will end."""
    if report.status is Status.PENDING and wait:
        message = wait.message[: outcome.MAX_TEXT] or None
        report = msgspec.structs.replace(report, status_reason=wait.reason, status_message=message)
    if report != observed.last_report and _is_changed(run, report):
        yield ReportRun(report)
        return
    yield from notices.tell(observed, now)
    times = (wait.until if wait else None, outcome.lost_deadline(observed.pod))
    yield from (RequeueAt(at) for at in times if at and now < at)


def _is_changed(run: Run, report: RunReport) -> bool:
    if report.status.rank < run.status.rank:
        return False
    if report.status_reason != run.status_reason:
        return True
    said = (report.status, report.job_uid, report.started_at)
    had = (run.status, run.job_uid, run.started_at)
    return any(value is not None and value != old for value, old in zip(said, had, strict=True))
