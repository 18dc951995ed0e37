"""The steps of a plan, as values; actions.py and job_actions.py execute them."""

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from sparktest.domain import Failure, RunReport
from sparktest.errors import ConflictError


class LostRaceError(ConflictError):
    """Error for a step on an object that has changed meanwhile: plan again."""


class Step(msgspec.Struct, frozen=True):
    """A step; `needs_api` is True if it calls the HTTP API."""

    needs_api: ClassVar[bool] = False


class AddFinalizer(Step, frozen=True):
    """Add the finalizer to the TestRun, which keeps it until its outcome is stored."""


class ReleaseFinalizer(Step, frozen=True):
    """Remove the finalizer from the TestRun."""


class Register(Step, frozen=True):
    """Register the TestRun in the API, which creates its run; idempotent by cluster and uid."""

    needs_api: ClassVar[bool] = True


class FetchRun(Step, frozen=True):
    """Read the run from the API."""

    needs_api: ClassVar[bool] = True
    run_id: str


class ClaimRun(Step, frozen=True):
    """Claim an API run for this cluster."""

    needs_api: ClassVar[bool] = True


class CreateJob(Step, frozen=True):
    """Create the run's Job."""


class CollectLog(Step, frozen=True):
    """Collect the log of a container of the run's pod until its end."""

    container: str


class WaitForLog(Step, frozen=True):
    """Reconcile again when the logs are stored, which needs the API; the collector does so."""

    needs_api: ClassVar[bool] = True


class ReportRun(Step, frozen=True):
    """Report status and outcome of the run to the API."""

    needs_api: ClassVar[bool] = True
    report: RunReport


class StopJob(Step, frozen=True):
    """End the test and keep its pod and log."""

    failure: Failure


class DeleteJob(Step, frozen=True):
    """Delete the Job and its pod."""


class PatchJobTtl(Step, frozen=True):
    """Set the TTL of the finished Job."""

    seconds: int


class PatchStatus(Step, frozen=True):
    """Write the TestRun's whole status."""

    status: dict[str, Any]


class RecordEvent(Step, frozen=True):
    """Record a Warning Event on the TestRun, once for each reason and generation; best effort."""

    reason: str
    message: str
    generation: int | None = None


class ReadEvents(Step, frozen=True):
    """Read the Events of the pod, else those of the Job: why it does not start, or why it ended."""


class CheckNamespace(Step, frozen=True):
    """Find out whether the namespace is being deleted."""


class ReadLive(Step, frozen=True):
    """Read TestRun, Job, pods and run from their sources, since caches may lag."""

    needs_api: ClassVar[bool] = True


class RequeueAt(Step, frozen=True):
    """Reconcile again at that time, even if no event comes."""

    at: datetime


class DeferUntilApiUp(Step, frozen=True):
    """Reconcile again when the API is reachable."""
