"""What to tell on a TestRun: its status, and an Event where a person has to do something. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sparktest.controller import conditions, testruns
from sparktest.controller.observation import Observation
from sparktest.controller.steps import (
    DeferUntilApiUp,
    PatchStatus,
    RecordEvent,
    ReleaseFinalizer,
    RequeueAt,
    Step,
)
from sparktest.domain import Origin, Status
from sparktest.kube.pods import section

# Most runs move on within this, and then a status that says Pending is a write for nothing.
PENDING_STATUS_DELAY = timedelta(seconds=2)
# A TestRun's status does not tell of an API that is away for less.
API_DOWN_STATUS_DELAY = timedelta(seconds=5)


def tell(observed: Observation, now: datetime) -> Iterator[Step]:
    """Bring the TestRun's status to what is recorded; an Event goes with what needs a person."""
    if observed.testrun is None or (observed.run and observed.run.origin is not Origin.CRD):
        return
    unsaid_until = _unsaid_until(observed)
    if unsaid_until and now < unsaid_until:
        yield RequeueAt(unsaid_until)
        return
    status = conditions.status_of(observed, now)
    old = section(observed.testrun, "status")
    # An older CRD drops fields: then what was written never comes back.
    if status in (old, observed.last_status):
        return
    yield PatchStatus(status)
    if conditions.needs_attention(status) and status.get("reason") != old.get("reason"):
        yield RecordEvent(str(status["reason"]), str(status.get("message") or ""))


def _unsaid_until(observed: Observation) -> datetime | None:
    run = observed.run
    if run is None or run.status is not Status.PENDING or run.status_reason:
        return None
    return run.created_at + PENDING_STATUS_DELAY


def away(observed: Observation, now: datetime) -> Iterator[Step]:
    """The API is needed and does not answer."""
    yield DeferUntilApiUp()
    if observed.testrun is None:
        return
    if observed.is_deleting and testruns.is_abandoned(observed.testrun):
        if observed.has_finalizer:
            yield ReleaseFinalizer()
        return
    said_from = (observed.api_down_since or now) + API_DOWN_STATUS_DELAY
    if now < said_from:
        yield RequeueAt(said_from)
        return
    status = conditions.api_down_status(observed, now)
    old = section(observed.testrun, "status")
    if status not in (old, observed.last_status):
        yield PatchStatus(status)
        if status.get("reason") != old.get("reason"):
            yield RecordEvent(str(status["reason"]), str(status["message"]))
