"""What can be done next for a run: the words in which a plan is written. Values only."""

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from sparktest.domain import Failure, RunReport


class Step(msgspec.Struct, frozen=True):
    """One thing to do; `asks_api` says whether the HTTP API is needed for it."""

    needs_api: ClassVar[bool] = False


class AddFinalizer(Step, frozen=True):
    """Hold the TestRun until its outcome is recorded."""


class ReleaseFinalizer(Step, frozen=True):
    """Let the TestRun go."""


class Register(Step, frozen=True):
    """Make the TestRun's run in the API, or learn of it: the answer is the same."""

    needs_api: ClassVar[bool] = True


class FetchRun(Step, frozen=True):
    """Read the run from the API."""

    needs_api: ClassVar[bool] = True
    run_id: str


class ClaimRun(Step, frozen=True):
    """Take an API run for this cluster."""

    needs_api: ClassVar[bool] = True


class CreateJob(Step, frozen=True):
    """Create the run's one Job."""


class FollowLog(Step, frozen=True):
    """Store the log of the run's pod, from its beginning to its end."""


class ReportRun(Step, frozen=True):
    """Tell the API what became of the run."""

    needs_api: ClassVar[bool] = True
    report: RunReport


class StopJob(Step, frozen=True):
    """End the test and keep its pod and log."""

    failure: Failure


class DeleteJob(Step, frozen=True):
    """Delete the Job and with it the pod."""


class PatchJobTtl(Step, frozen=True):
    """Have Kubernetes delete the finished Job after that time."""

    seconds: int


class PatchStatus(Step, frozen=True):
    """Write the TestRun's whole status."""

    status: dict[str, Any]


class RecordEvent(Step, frozen=True):
    """Say it in a Warning Event on the TestRun; best effort."""

    reason: str
    message: str


class ReadEvents(Step, frozen=True):
    """Read the Job's Events, which tell why it has no pod."""


class ReadLive(Step, frozen=True):
    """Read TestRun, Job, pods and run from where they are: caches have no common order."""

    needs_api: ClassVar[bool] = True


class RequeueAt(Step, frozen=True):
    """Make another plan at that time even if nothing is heard until then."""

    at: datetime


class DeferUntilApiUp(Step, frozen=True):
    """Wait until the API answers again."""
