"""Read the statuses of TestRuns, for tests."""

from datetime import datetime
from typing import Any

from sparktest.controller.observation import Observation
from sparktest.controller.status import build_status


def status_of(observed: Observation, now: datetime) -> dict[str, Any]:
    assert observed.testrun is not None
    return build_status(observed, observed.testrun, now)


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Return status, reason and time of each condition, by type."""
    return {
        entry["type"]: (entry["status"], entry["reason"], entry["lastTransitionTime"])
        for entry in status["conditions"]
    }
