"""What is left to do for a run that ends, has ended or was deleted. Pure."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from sparktest.controller import notices
from sparktest.controller.known import Known, belongs, finished, owner_uid, run_id_of
from sparktest.controller.steps import (
    Confirm,
    Follow,
    PatchTtl,
    ReleaseFinalizer,
    Remove,
    Report,
    Step,
)
from sparktest.domain import Failure, Log, LogState, Run, RunReport
from sparktest.kube import outcome
from sparktest.kube import pods as podstate
from sparktest.kube.pods import Object, section, uid_of


def ended(failure: Failure, now: datetime) -> RunReport:
    """The report of a run that ends without its Job having run to an end."""
    return RunReport(status=outcome.status_of(failure), finished_at=now, failure=failure)


def close(known: Known, run: Run, report: RunReport) -> Iterator[Step]:
    """Report the end, but not before the log is stored as far as it can be."""
    if known.following:
        return
    if known.log is None and podstate.has_log(known.pod):
        yield Follow()
        return
    yield Report(msgspec.structs.replace(report, log=known.log or _no_log(run, report)))


def _no_log(run: Run, report: RunReport) -> Log:
    if run.log.bytes:
        reason = report.failure.reason if report.failure else "PodDeleted"
        return Log(state=LogState.PARTIAL, reason=reason, bytes=run.log.bytes)
    reason = "NotStarted" if report.started_at is None else "PodDeleted"
    return Log(state=LogState.NONE, reason=reason)


def final(known: Known, run: Run, now: datetime) -> Iterator[Step]:
    """What is left once the API has taken the final report: status, TTL, finalizer."""
    yield from notices.tell(known, now)
    yield from _leftover(known, run)
    yield from ttl(known)
    yield from release(known)


def _leftover(known: Known, run: Run) -> Iterator[Step]:
    """End a pod that goes on although its run has ended: a container beside the test, for one."""
    pod = podstate.current(known.pods)
    if known.job is None or not belongs(known.job, run):
        return
    if podstate.goes_on(pod) and podstate.deletion_asked_at(pod) is None:
        yield Remove() if known.live else Confirm()


def ttl(known: Known) -> Iterator[Step]:
    """Let the Job go in time, now that its log and outcome are stored."""
    job = _own_job(known)
    spec = section(job, "spec")
    if job is None or known.ttl_seconds is None or "ttlSecondsAfterFinished" in spec:
        return
    if spec.get("suspend") and not finished(job):
        # It was stopped before it had a node, and a TTL never takes a Job that did not finish.
        yield Remove()
    else:
        yield PatchTtl(known.ttl_seconds)


def _own_job(known: Known) -> Object | None:
    """The Job of that name, unless it is somebody else's."""
    if known.run is not None:
        return known.own_job
    return known.job if known.job and owner_uid(known.job) == uid_of(known.testrun) else None


def release(known: Known) -> Iterator[Step]:
    """Let the TestRun go."""
    if known.held:
        yield ReleaseFinalizer()


def deleted(known: Known, now: datetime) -> Iterator[Step]:
    """What is left of a run that was deleted in the API: its Job goes, its TestRun stays."""
    if run_id_of(known.job):
        yield Remove()
    if not known.recorded:
        yield from notices.tell(known, now)
    yield from release(known)
