"""What can be done next for a run: the words in which a plan is written. Values only."""

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from sparktest.domain import Failure, RunReport


class Step(msgspec.Struct, frozen=True):
    """One thing to do; `asks_api` says whether the HTTP API is needed for it."""

    asks_api: ClassVar[bool] = False


class AddFinalizer(Step, frozen=True):
    """Hold the TestRun until its outcome is recorded."""


class ReleaseFinalizer(Step, frozen=True):
    """Let the TestRun go."""


class Register(Step, frozen=True):
    """Make the TestRun's run in the API, or learn of it: the answer is the same."""

    asks_api: ClassVar[bool] = True


class FetchRun(Step, frozen=True):
    """Read the run from the API."""

    asks_api: ClassVar[bool] = True
    run_id: str


class Claim(Step, frozen=True):
    """Take an API run for this cluster."""

    asks_api: ClassVar[bool] = True


class CreateJob(Step, frozen=True):
    """Create the run's one Job."""


class Follow(Step, frozen=True):
    """Store the log of the run's pod, from its beginning to its end."""


class Report(Step, frozen=True):
    """Tell the API what became of the run."""

    asks_api: ClassVar[bool] = True
    report: RunReport


class Stop(Step, frozen=True):
    """End the test and keep its pod and log."""

    failure: Failure


class Remove(Step, frozen=True):
    """Delete the Job and with it the pod."""


class PatchTtl(Step, frozen=True):
    """Have Kubernetes delete the finished Job after that time."""

    seconds: int


class PatchStatus(Step, frozen=True):
    """Write the TestRun's whole status."""

    status: dict[str, Any]


class Emit(Step, frozen=True):
    """Say it in a Warning Event on the TestRun; best effort."""

    reason: str
    message: str


class ReadEvents(Step, frozen=True):
    """Read the Job's Events, which tell why it has no pod."""


class Confirm(Step, frozen=True):
    """Read TestRun, Job, pods and run from where they are: caches have no common order."""

    asks_api: ClassVar[bool] = True


class LookAgain(Step, frozen=True):
    """Make another plan at that time even if nothing is heard until then."""

    at: datetime


class Park(Step, frozen=True):
    """Wait until the API answers again."""
