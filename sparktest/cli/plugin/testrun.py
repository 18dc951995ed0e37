"""A TestRun object as the plugin reads it; a field that is missing or malformed is empty. Pure."""

from datetime import datetime
from typing import Any

from sparktest.cli.exits import Exit, outcome_code
from sparktest.domain import Status
from sparktest.times import format_age, format_duration, parse_time

Object = dict[str, Any]

KIND = "testrun.sparktest.dev"
# What users and kubectl write in front of a name.
PREFIXES = ("testruns.sparktest.dev/", "testrun.sparktest.dev/", "testruns/", "testrun/", "strun/")
STATUSES = {status.phase: status for status in Status}
LIVE = ("Pending", "Running")


class TestRun:
    """A TestRun; its phase is Pending until a controller has written another.

    Attributes:
        object: the object as kubectl prints it.
    """

    # pytest takes a class of this name for a test.
    __test__ = False

    def __init__(self, obj: Object) -> None:
        self.object = obj
        self.metadata = section(obj, "metadata")
        self.spec = section(obj, "spec")
        self.status = section(obj, "status")
        self.failure = section(self.status, "failure")
        self.name = str(self.metadata.get("name"))
        self.namespace = str(self.metadata.get("namespace"))
        self.uid = str(self.metadata.get("uid"))
        self.created = str(self.metadata.get("creationTimestamp"))
        self.phase = str(self.status.get("phase") or "Pending")
        # The id of the run in SparkTest, "" while it is not registered.
        self.run_id = str(self.status.get("runId") or "")
        # "" while there is no Job.
        self.job_name = str(self.status.get("jobName") or "")
        # Why it failed, or what it waits for.
        self.reason = str(self.status.get("reason") or self.failure.get("reason") or "")

    @property
    def ended(self) -> bool:
        """True when the phase is final."""
        return self.phase not in LIVE

    @property
    def handled(self) -> bool:
        """True when a controller has written anything to it."""
        return bool(self.status or self.metadata.get("finalizers"))

    @property
    def definition(self) -> str:
        """What it runs: the name or id of a definition, or an image."""
        fields = (self.spec.get(key) for key in ("definitionName", "definitionId", "image"))
        return str(next(filter(None, fields), ""))

    def exit_code(self) -> Exit:
        """Return the exit code of a command that waited for it."""
        return outcome_code(STATUSES.get(self.phase, ""), self.failure.get("class"))

    def summary(self) -> str:
        """Return one line: its state, or how it ended."""
        text = f"{self.name} {STATUSES.get(self.phase, self.phase).replace('_', ' ')}"
        if self.ended and self.status.get("duration"):
            text += f" in {self.status['duration']}"
        if self.failure:
            reasons = (self.failure.get("class"), self.failure.get("reason"))
            text += f": {', '.join(map(str, filter(None, reasons)))}"
        elif self.reason:
            text += f": {self.reason}"
        message = self.failure.get("message") or self.status.get("message")
        return f"{text}: {message}" if message else text

    def why(self) -> str:
        """Return why it failed or what it waits for; "" when there is nothing to say."""
        if not self.failure:
            return ": ".join(map(str, filter(None, (self.reason, self.status.get("message")))))
        code = self.failure.get("exitCode")
        message = self.failure.get("message") or ("" if code is None else f"exit code {code}")
        text = f"{self.failure.get('class')}, {self.failure.get('reason')}"
        return f"{text}: {message}" if message else text

    def duration(self, now: datetime) -> str | None:
        """Return how long it took, or has been running; None before it started."""
        if self.ended:
            return str(self.status["duration"]) if self.status.get("duration") else None
        started = parse_time(self.status.get("startedAt"))
        return format_duration((now - started).total_seconds()) if started else None

    def age_seconds(self, now: datetime) -> float | None:
        """Return the seconds since its creation; None when the time is missing."""
        created = parse_time(self.created)
        return (now - created).total_seconds() if created else None

    def age(self, now: datetime) -> str | None:
        """Return how long ago it was created, as `5m`."""
        seconds = self.age_seconds(now)
        return None if seconds is None else format_age(seconds)


def plain_name(reference: str) -> str:
    """Return the name in a reference such as `testrun.sparktest.dev/smoke` (of `-o name`)."""
    for prefix in PREFIXES:
        if reference.startswith(prefix):
            return reference[len(prefix) :]
    return reference


def section(obj: Object, key: str) -> Object:
    """Return the object below the key; empty when there is none."""
    found = obj.get(key)
    return found if isinstance(found, dict) else {}
