"""Jobs and Events as small frozen values with the fields that SparkTest uses.

Objects are parsed once, when they enter a cache or are read live. They are untrusted: a field
that is missing or has the wrong type counts as absent, and parsing never raises.
"""

from datetime import datetime
from typing import NamedTuple

import msgspec

from sparktest.domain import Failure
from sparktest.kube.fields import Object, integer, items, mapping, text
from sparktest.kube.jobs import RUN_ID, STOP, decode_stop_reason
from sparktest.times import parse_time


class Condition(NamedTuple):
    """A condition of an object; `status` is `True`, `False` or `Unknown`."""

    status: str
    reason: str
    message: str
    changed_at: datetime | None


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A Job.

    Attributes:
        owner_uid: the uid of its controlling owner, such as a TestRun.
        run_id: the id of the run that it was created for, from its label.
        stop_reason: why it is being stopped, from its annotation.
        started_at: `status.startTime`, when the Job controller first saw it.
        complete, failed, failure_target, suspended: the conditions with status True.
    """

    namespace: str
    name: str
    uid: str | None
    owner_uid: str | None
    run_id: str | None
    stop_reason: Failure | None
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    suspend: bool
    is_deleting: bool = False
    ttl_seconds: int | None
    complete: Condition | None
    failed: Condition | None
    failure_target: Condition | None
    suspended: Condition | None

    @property
    def is_finished(self) -> bool:
        """True if the Job is complete or failed, so that a TTL deletes it."""
        return self.complete is not None or self.failed is not None

    @property
    def deadline_exceeded(self) -> bool:
        """True if the Job's own deadline has passed."""
        ends = (self.failure_target, self.failed)
        return any(end is not None and end.reason == "DeadlineExceeded" for end in ends)


class EventView(NamedTuple):
    """An Event; `field_path` names the container that it is about, as `spec.containers{name}`."""

    reason: str
    message: str
    seen_at: datetime | None
    field_path: str = ""


def parse_job(job: Object) -> JobView:
    """Parse a Job."""
    metadata, spec, status = (mapping(job, name) for name in ("metadata", "spec", "status"))
    conditions = parse_conditions(status)

    def when_true(kind: str) -> Condition | None:
        return found if (found := conditions.get(kind)) and found.status == "True" else None

    return JobView(
        namespace=text(metadata, "namespace"),
        name=text(metadata, "name"),
        uid=text(metadata, "uid") or None,
        owner_uid=controller_uid(metadata),
        run_id=text(mapping(metadata, "labels"), RUN_ID) or None,
        stop_reason=decode_stop_reason(mapping(metadata, "annotations").get(STOP)),
        created_at=parse_time(metadata.get("creationTimestamp")),
        started_at=parse_time(status.get("startTime")),
        completed_at=parse_time(status.get("completionTime")),
        suspend=spec.get("suspend") is True,
        is_deleting=metadata.get("deletionTimestamp") is not None,
        ttl_seconds=integer(spec, "ttlSecondsAfterFinished"),
        complete=when_true("Complete"),
        failed=when_true("Failed"),
        failure_target=when_true("FailureTarget"),
        suspended=when_true("Suspended"),
    )


def parse_event(event: Object) -> EventView:
    """Parse an Event."""
    seen_at = parse_time(event.get("lastTimestamp")) or parse_time(event.get("eventTime"))
    field_path = text(mapping(event, "involvedObject"), "fieldPath")
    return EventView(text(event, "reason"), text(event, "message"), seen_at, field_path)


def parse_conditions(status: Object) -> dict[str, Condition]:
    """Return the conditions by type; the first of each type counts."""
    found: dict[str, Condition] = {}
    for entry in items(status, "conditions"):
        state, reason, message = (text(entry, name) for name in ("status", "reason", "message"))
        condition = Condition(state, reason, message, parse_time(entry.get("lastTransitionTime")))
        found.setdefault(text(entry, "type"), condition)
    return found


def controller_uid(metadata: Object) -> str | None:
    """Return the uid of the controlling owner; None if there is none."""
    owners = items(metadata, "ownerReferences")
    return next((text(owner, "uid") or None for owner in owners if owner.get("controller")), None)
