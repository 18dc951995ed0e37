"""A TestRun object as the plugin reads it; whatever it lacks is not there. Pure."""

from datetime import UTC, datetime
from typing import Any

from sparktest.cli.exits import FAILURE_CODES, STATUS_CODES, Exit
from sparktest.cli.output import Column
from sparktest.cli.run_output import COLOURS
from sparktest.times import format_age, format_duration

KIND = "testrun.sparktest.dev"
# What people and kubectl call it in front of a name.
PREFIXES = ("testruns.sparktest.dev/", "testrun.sparktest.dev/", "testruns/", "testrun/", "strun/")
STATUSES = {
    "Pending": "pending",
    "Running": "running",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "TimedOut": "timed_out",
    "Cancelled": "cancelled",
}
LIVE = ("Pending", "Running")


class TestRun:
    """What a TestRun says of itself: `phase` is Pending until somebody has written another."""

    # Not a test, whatever a test runner thinks of the name.
    __test__ = False

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.metadata = section(document, "metadata")
        self.spec = section(document, "spec")
        self.status = section(document, "status")
        self.failure = section(self.status, "failure")
        self.name = str(self.metadata.get("name"))
        self.namespace = str(self.metadata.get("namespace"))
        self.uid = str(self.metadata.get("uid"))
        self.phase = str(self.status.get("phase") or "Pending")

    @property
    def ended(self) -> bool:
        """Whether its phase never changes again."""
        return self.phase not in LIVE

    @property
    def seen(self) -> bool:
        """Whether a controller has written anything to it."""
        return bool(self.status or self.metadata.get("finalizers"))

    @property
    def what(self) -> str:
        """What it runs: the definition's name or id, or the image."""
        named = (self.spec.get(key) for key in ("definitionName", "definitionId", "image"))
        return str(next(filter(None, named), ""))

    @property
    def reason(self) -> str:
        """The word for why it failed or what it waits for."""
        return str(self.status.get("reason") or self.failure.get("reason") or "")

    @property
    def run_id(self) -> str:
        """The run's id in SparkTest; empty while it is not registered."""
        return str(self.status.get("runId") or "")

    @property
    def job_name(self) -> str:
        """The name of its Job; empty while there is none."""
        return str(self.status.get("jobName") or "")

    def exit_code(self) -> Exit:
        """The exit code of a command that waited for it."""
        status = STATUSES.get(self.phase, "")
        if status in STATUS_CODES:
            return STATUS_CODES[status]
        return FAILURE_CODES.get(str(self.failure.get("class")), Exit.TEST_FAILED)

    def told(self) -> str:
        """One line about how it is, or how it ended."""
        text = f"{self.name} {STATUSES.get(self.phase, self.phase).replace('_', ' ')}"
        if self.ended and self.status.get("duration"):
            text += f" in {self.status['duration']}"
        if self.failure:
            said = (self.failure.get("class"), self.failure.get("reason"))
            text += f": {', '.join(map(str, filter(None, said)))}"
        elif self.reason:
            text += f": {self.reason}"
        message = self.failure.get("message") or self.status.get("message")
        return f"{text}: {message}" if message else text

    def took(self, now: datetime) -> str | None:
        """How long it took, or has taken until now; None before it started."""
        if self.ended:
            return str(self.status["duration"]) if self.status.get("duration") else None
        started = moment(self.status.get("startedAt"))
        return format_duration((now - started).total_seconds()) if started else None

    def age(self, now: datetime) -> str | None:
        """How long ago it was created."""
        created = moment(self.metadata.get("creationTimestamp"))
        return format_age((now - created).total_seconds()) if created else None


def columns(*, everywhere: bool) -> list[Column[TestRun]]:
    """The columns of a table of TestRuns, as of kubectl's own; with times until now."""
    now = datetime.now(UTC)
    return [
        *([Column[TestRun]("NAMESPACE", lambda each: each.namespace, min_width=6)] * everywhere),
        Column("NAME", lambda each: each.name, min_width=12),
        Column(
            "PHASE",
            lambda each: each.phase,
            colour=lambda each: COLOURS.get(STATUSES.get(each.phase, "")),
        ),
        Column("DEFINITION", lambda each: each.what, min_width=8),
        Column("REASON", lambda each: each.reason, min_width=6),
        Column("DURATION", lambda each: each.took(now)),
        Column("AGE", lambda each: each.age(now)),
        Column("RUN", lambda each: each.run_id, wide=True),
        Column("JOB", lambda each: each.job_name, wide=True),
    ]


def plain_name(reference: str) -> str:
    """The name in a reference such as `testrun.sparktest.dev/smoke`, as `-o name` prints it."""
    for prefix in PREFIXES:
        if reference.startswith(prefix):
            return reference[len(prefix) :]
    return reference


def moment(text: Any) -> datetime | None:
    """The time that Kubernetes wrote; None where it wrote none."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else None


def section(document: dict[str, Any], key: str) -> dict[str, Any]:
    """The object below the key; empty where there is none."""
    found = document.get(key)
    return found if isinstance(found, dict) else {}
