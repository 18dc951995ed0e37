"""The law: from what is known of a run, what to do next. Pure.

Each pass starts over from what is there, so nothing depends on having seen an event or on having
finished the last pass. The order inside a run: finalizer, register, create, report, status last.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile

import msgspec

from sparktest.controller import ending, notices
from sparktest.controller.known import Known, Standing, finished, name_conflict, run_id_of
from sparktest.controller.steps import (
    AddFinalizer,
    Claim,
    Confirm,
    CreateJob,
    FetchRun,
    Follow,
    LookAgain,
    ReadEvents,
    Register,
    Report,
    Step,
    Stop,
)
from sparktest.domain import Failure, FailureClass, Run, RunReport, Status
from sparktest.kube import outcome, patience
from sparktest.kube import pods as podstate
from sparktest.kube.pods import section


def plan(known: Known, now: datetime) -> list[Step]:
    """What to do now, in this order; nothing where all is done or only time will tell.

    While the API is away, what needs no API is still done: a test is stopped, a log is read.
    """
    steps = list(_until_confirmed(_steps(known, now)))
    if known.away is None:
        return steps
    free = list(takewhile(lambda step: not step.asks_api, steps))
    if len(free) == len(steps):
        return steps
    return [*free, *notices.away(known, now)]


def settled(known: Known) -> bool:
    """Whether nothing is left to do for the run, whatever the API says of it."""
    if known.audit and known.run_id:
        return False
    if known.standing is Standing.GONE and run_id_of(known.job):
        return False
    if known.testrun is not None:
        return known.recorded and not known.held
    if known.run is not None and not known.run.status.final:
        return False
    if known.job is None:
        return True
    return (
        finished(known.job)
        and section(known.job, "spec").get("ttlSecondsAfterFinished") is not None
    )


def _until_confirmed(steps: Iterator[Step]) -> Iterator[Step]:
    """The steps up to a Confirm: what comes after it is planned on what that has found."""
    for step in steps:
        yield step
        if isinstance(step, Confirm):
            return


def _steps(known: Known, now: datetime) -> Iterator[Step]:
    if settled(known):
        return
    if known.audit and known.run_id:
        yield FetchRun(known.run_id)
    elif known.standing is Standing.GONE:
        yield from ending.deleted(known, now)
    elif known.run is None:
        yield from _without_run(known, now)
    elif known.run.status.final:
        yield from ending.final(known, known.run, now)
    elif known.run.cluster is None:
        yield Claim()
    elif known.run.cluster == known.cluster:
        yield from _unfinished(known, known.run, now)


# --- before there is a run, and after it was deleted ---------------------------------------------


def _without_run(known: Known, now: datetime) -> Iterator[Step]:
    if known.testrun is None:
        # A Job whose run the API never had is somebody else's.
        if known.run_id and known.standing is Standing.UNASKED:
            yield FetchRun(known.run_id)
    elif known.standing is Standing.REFUSED:
        yield from notices.tell(known, now)
        yield from ending.release(known)
    elif known.recorded:
        yield from ending.ttl(known)
        yield from ending.release(known)
    elif known.held:
        yield Register()
    elif not known.deleting:
        yield AddFinalizer()


# --- a run that has not ended --------------------------------------------------------------------


def _unfinished(known: Known, run: Run, now: datetime) -> Iterator[Step]:
    if known.own_job is not None:
        yield from _with_job(known, run, now)
    elif known.job_uid is not None:
        yield from _job_gone(known, run, now)
    else:
        yield from _without_job(known, run, now)


def _without_job(known: Known, run: Run, now: datetime) -> Iterator[Step]:
    if known.stop_wanted:
        yield from ending.close(known, run, ending.ended(known.stop_wanted, now))
    elif known.orphaned or known.job is not None:
        # Neither an absent TestRun nor a Job of somebody else is believed from a cache.
        if known.live:
            yield from ending.close(known, run, ending.ended(_never(known), now))
        else:
            yield Confirm()
    elif known.refusal:
        yield from ending.close(known, run, ending.ended(known.refusal, now))
    elif known.held_up:
        yield from _waiting(known, run, known.held_up, now)
    else:
        yield CreateJob() if known.fresh else FetchRun(run.id)


def _never(known: Known) -> Failure:
    if known.orphaned:
        return outcome.failure_of(FailureClass.INFRA, "ObjectGone", "its TestRun is gone")
    return name_conflict(known.key)


def _job_gone(known: Known, run: Run, now: datetime) -> Iterator[Step]:
    if not known.live:
        yield Confirm()
        return
    report = outcome.observe(run, None, known.own_pods, now)
    report = msgspec.structs.replace(report, job_uid=known.job_uid)
    if report.failure and report.failure.reason == "JobDeleted":
        gone = "the TestRun and its Job are gone"
        failure = outcome.failure_of(FailureClass.INFRA, "ObjectGone", gone)
        ended = failure if known.orphaned else known.stop_wanted or report.failure
        report = msgspec.structs.replace(report, status=outcome.status_of(ended), failure=ended)
    yield from ending.close(known, run, report)


def _with_job(known: Known, run: Run, now: datetime) -> Iterator[Step]:
    job = known.own_job or {}
    report = outcome.observe(run, job, known.own_pods, now)
    if report.status.final:
        certain = known.live or podstate.terminal(known.pod)
        yield from ending.close(known, run, report) if certain else [Confirm()]
        return
    wait = _wait(known, run, now)
    failure = outcome.stop_of(job) or known.stop_wanted or _in_vain(wait, now)
    if failure and not _stopping(known):
        yield Stop(failure)
    elif known.orphaned and not failure:
        yield Confirm()
    if podstate.has_log(known.pod) and known.log is None and not known.following:
        yield Follow()
    needs_events_at = patience.needs_events_at(job)
    if known.pod is None and known.events is None and needs_events_at and not failure:
        yield LookAgain(needs_events_at) if now < needs_events_at else ReadEvents()
    yield from _progress(known, run, report, wait, now)


def _wait(known: Known, run: Run, now: datetime) -> patience.Wait | None:
    job = known.own_job or {}
    if known.pod is None:
        return patience.wait_for_pod(run, job, known.events or [], now)
    since = known.trouble_since or now
    return patience.wait_of(run, job, known.own_pods, since=since, pull_seconds=known.pull_seconds)


def _in_vain(wait: patience.Wait | None, now: datetime) -> Failure | None:
    return wait.failure if wait and wait.until and wait.until <= now else None


def _stopping(known: Known) -> bool:
    """Whether a stop has been carried out whole: noted on the Job, and its pod given no time."""
    if outcome.stop_of(known.own_job) is None:
        return False
    if section(known.own_job, "spec").get("suspend"):
        return True
    deadline = section(known.pod, "spec").get("activeDeadlineSeconds")
    return podstate.scheduled(known.pod) and deadline == outcome.STOP_DEADLINE_SECONDS


def _waiting(known: Known, run: Run, wait: patience.Wait, now: datetime) -> Iterator[Step]:
    """Stay pending without a Job until it can be created or the time is up."""
    failure = _in_vain(wait, now)
    if failure:
        yield from ending.close(known, run, ending.ended(failure, now))
        return
    report = RunReport(status=Status.PENDING)
    yield from _progress(known, run, report, wait, now)


def _progress(
    known: Known, run: Run, report: RunReport, wait: patience.Wait | None, now: datetime
) -> Iterator[Step]:
    """Say where a run is that goes on, if that is news, and when its patience will end."""
    if report.status is Status.PENDING and wait:
        message = wait.message[: outcome.MAX_TEXT] or None
        report = msgspec.structs.replace(report, status_reason=wait.reason, status_message=message)
    if report != known.reported and _news(run, report):
        yield Report(report)
        return
    yield from notices.tell(known, now)
    times = (wait.until if wait else None, outcome.lost_at(known.pod))
    yield from (LookAgain(at) for at in times if at and now < at)


def _news(run: Run, report: RunReport) -> bool:
    if report.status.rank < run.status.rank:
        return False
    if report.status_reason != run.status_reason:
        return True
    said = (report.status, report.job_uid, report.started_at)
    had = (run.status, run.job_uid, run.started_at)
    return any(value is not None and value != old for value, old in zip(said, had, strict=True))
