"""Suites and their runs, for tests."""

from collections.abc import Sequence
from typing import Any

from flask.testing import FlaskClient

from tests.api.requests import answered, define

SUITES = "/api/test-suites"
SUITE_RUNS = "/api/suite-runs"


def start(client: FlaskClient, number: int = 3, **fields: Any) -> Any:
    """Create a suite of new definitions, run it, and return the suite run."""
    name = fields.setdefault("name", "nightly")
    ids = [define(client, name=f"{name} {n}")["id"] for n in range(number)]
    suite = answered(client.post(SUITES, json={"testDefinitionIds": ids, **fields}), 201)
    return answered(client.post(f"{SUITES}/{suite['id']}/run"), 201)


def get(client: FlaskClient, suite_run: Any) -> Any:
    """Return the suite run as it is now."""
    return answered(client.get(f"{SUITE_RUNS}/{suite_run['id']}"), 200)


def statuses(client: FlaskClient, suite_run: Any) -> list[str]:
    """Return the status of each run; `blocked` for a pending one that waits for another."""
    return [
        "blocked" if run.get("statusReason") == "WaitingForSuite" else run["status"]
        for run in get(client, suite_run)["runs"]
    ]


def claim(client: FlaskClient, run: Any) -> int:
    """Claim the run as a controller does; return the status of the answer."""
    path = f"/api/test-runs/{run['id']}/claim"
    return client.put(path, json={"cluster": "cluster-1"}).status_code


def claimable(client: FlaskClient, runs: Sequence[Any]) -> list[bool]:
    """Try to claim each run; return which of them were given to the controller."""
    return [claim(client, run) == 200 for run in runs]
