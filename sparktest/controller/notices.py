"""What to tell on a TestRun: its status, and an Event where a person has to do something. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sparktest.controller import conditions, testruns
from sparktest.controller.known import Known
from sparktest.controller.steps import (
    Emit,
    LookAgain,
    Park,
    PatchStatus,
    ReleaseFinalizer,
    Step,
)
from sparktest.domain import Origin, Status
from sparktest.kube.pods import section

# Most runs move on within this, and then a status that says Pending is a write for nothing.
PENDING_UNSAID = timedelta(seconds=2)
# A TestRun's status does not tell of an API that is away for less.
AWAY_UNSAID = timedelta(seconds=5)


def tell(known: Known, now: datetime) -> Iterator[Step]:
    """Bring the TestRun's status to what is recorded; an Event goes with what needs a person."""
    if known.testrun is None or (known.run and known.run.origin is not Origin.CRD):
        return
    unsaid_until = _unsaid_until(known)
    if unsaid_until and now < unsaid_until:
        yield LookAgain(unsaid_until)
        return
    status = conditions.status_of(known, now)
    old = section(known.testrun, "status")
    # An older CRD drops fields: then what was written never comes back.
    if status in (old, known.told):
        return
    yield PatchStatus(status)
    if conditions.alarming(status) and status.get("reason") != old.get("reason"):
        yield Emit(str(status["reason"]), str(status.get("message") or ""))


def _unsaid_until(known: Known) -> datetime | None:
    run = known.run
    if run is None or run.status is not Status.PENDING or run.status_reason:
        return None
    return run.created_at + PENDING_UNSAID


def away(known: Known, now: datetime) -> Iterator[Step]:
    """The API is needed and does not answer."""
    yield Park()
    if known.testrun is None:
        return
    if known.deleting and testruns.abandoned(known.testrun):
        if known.held:
            yield ReleaseFinalizer()
        return
    said_from = (known.away_since or now) + AWAY_UNSAID
    if now < said_from:
        yield LookAgain(said_from)
        return
    status = conditions.status_away(known, now)
    old = section(known.testrun, "status")
    if status not in (old, known.told):
        yield PatchStatus(status)
        if status.get("reason") != old.get("reason"):
            yield Emit(str(status["reason"]), str(status["message"]))
