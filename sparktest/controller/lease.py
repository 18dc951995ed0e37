"""The Lease of leader election: its name, what it says, and what may be done with it. Pure.

Times of other machines are never compared with ours: a Lease expires when it has not changed for
its duration by the clock of the observer.
"""

import enum
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sparktest.kube.fields import Object, integer, mapping, text

NAME = "sparktest-controller"
# The times of client-go.
LEASE_SECONDS = 15
# A holder that could not renew the Lease for this long writes nothing any more. The rest of the
# duration is for the requests that it has already sent, and for clocks that run at other speeds.
RENEW_DEADLINE_SECONDS = 10.0
# A duration of a foreign Lease beyond this would lock the controllers out.
MAX_LEASE_SECONDS = 120


class Observed(NamedTuple):
    """A Lease, and when it was first seen with this content, in seconds of the local clock."""

    lease: Object
    at: float

    @property
    def holder(self) -> str:
        """The identity of its holder; empty if it has none."""
        return text(mapping(self.lease, "spec"), "holderIdentity")

    @property
    def expires_at(self) -> float:
        """When another one may take the Lease, unless it changes before."""
        seconds = integer(mapping(self.lease, "spec"), "leaseDurationSeconds")
        return self.at + min(max(seconds or LEASE_SECONDS, 1), MAX_LEASE_SECONDS)


class Action(enum.Enum):
    """What a controller may do with the Lease now."""

    CREATE = "create"
    TAKE = "take"
    RENEW = "renew"
    WAIT = "wait"


def lease_name(namespaces: Iterable[str]) -> str:
    """Return the name of the Lease for controllers that watch these namespaces; empty means all.

    Controllers of different namespaces work at the same time, so they have different Leases.
    """
    watched = ",".join(sorted(set(namespaces)))
    return f"{NAME}-{hashlib.sha256(watched.encode()).hexdigest()[:10]}" if watched else NAME


def observe(before: Observed | None, lease: Object, now: float) -> Observed:
    """Return the Lease as read now; it counts as seen since `before` if its spec is the same."""
    if before is not None and mapping(before.lease, "spec") == mapping(lease, "spec"):
        return Observed(lease, before.at)
    return Observed(lease, now)


def decide(observed: Observed | None, identity: str, now: float) -> Action:
    """Return what the controller with this identity may do; None: there is no Lease."""
    if observed is None:
        return Action.CREATE
    if observed.holder == identity:
        return Action.RENEW
    if not observed.holder or now >= observed.expires_at:
        return Action.TAKE
    return Action.WAIT


def held_spec(observed: Observed | None, identity: str, now: datetime) -> dict[str, Any]:
    """Return the spec of a Lease that this controller creates, takes or renews."""
    spec = mapping(observed.lease, "spec") if observed else {}
    renewed = observed is not None and observed.holder == identity
    transitions = integer(spec, "leaseTransitions") or 0
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": LEASE_SECONDS,
        "acquireTime": text(spec, "acquireTime") if renewed else _micro_time(now),
        "renewTime": _micro_time(now),
        "leaseTransitions": transitions if renewed or not observed else transitions + 1,
    }


def released_spec(now: datetime) -> dict[str, Any]:
    """Return the fields that let another controller take the Lease at once, as client-go does."""
    at = _micro_time(now)
    return {"holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": at, "renewTime": at}


def _micro_time(at: datetime) -> str:
    """Return a time as Kubernetes' MicroTime."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
