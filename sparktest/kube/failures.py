"""Failures as the controller makes them, and the annotation that keeps the reason of a stop."""

import json
from typing import Any

import msgspec

from sparktest.domain import Failure, FailureClass

MAX_REASON = 200
MAX_MESSAGE = 2000


def make_failure(kind: FailureClass, reason: str, message: str, **more: Any) -> Failure:
    """Return a failure whose texts are short enough to be stored."""
    return Failure(
        class_=kind, reason=reason[:MAX_REASON], message=message[:MAX_MESSAGE].strip(), **more
    )


def encode_stop_reason(failure: Failure) -> str:
    """Return the value of the annotation `sparktest.dev/stop`: why a Job is being stopped."""
    return json.dumps(msgspec.to_builtins(failure))


def decode_stop_reason(value: Any) -> Failure | None:
    """Return the failure in the annotation's value; None for None.

    An unreadable value counts as a cancel: whoever wrote it wanted the Job to end.
    """
    if value is None:
        return None
    try:
        found = msgspec.json.decode(str(value), type=Failure)
    except msgspec.MsgspecError:
        found = Failure(class_=FailureClass.CANCELLED, reason="Cancelled", message=str(value))
    return make_failure(found.class_, found.reason, found.message)
