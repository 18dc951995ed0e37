"""Payloads and requests of tests, and checks of their responses."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from flask.testing import FlaskClient

CLUSTER = "cluster-1"


def adhoc(**fields: Any) -> dict[str, Any]:
    """Return the payload of a run of an image."""
    return {"name": "login", "image": "busybox:1.35", "commands": ["true"], **fields}


def of_testrun(uid: str = "uid-1", **fields: Any) -> dict[str, Any]:
    """Return the payload that registers a TestRun object."""
    ref = {"namespace": "shop", "name": "login", "uid": uid}
    return {"origin": "crd", "cluster": CLUSTER, "k8sRef": ref, "image": "busybox", **fields}


def create(client: FlaskClient, **fields: Any) -> Any:
    """Create a run and return it."""
    return answered(client.post("/api/test-runs", json=adhoc(**fields)), 201)


def register(client: FlaskClient, uid: str = "uid-1", **fields: Any) -> Any:
    """Register a TestRun object and return its run."""
    return answered(client.post("/api/test-runs", json=of_testrun(uid, **fields)), 201)


def define(client: FlaskClient, **fields: Any) -> Any:
    """Create a definition and return it."""
    body = {"name": "smoke", "image": "busybox:1.35", "commands": ["true"], **fields}
    return answered(client.post("/api/test-definitions", json=body), 201)


def report(client: FlaskClient, run_id: str, status: str, **fields: Any) -> Any:
    """Send a report and return the run."""
    body = {"status": status, **fields}
    return answered(client.put(f"/api/test-runs/{run_id}/report", json=body), 200)


def get(client: FlaskClient, run_id: str) -> Any:
    """Return the run."""
    return answered(client.get(f"/api/test-runs/{run_id}"), 200)


def ids(client: FlaskClient, query: str = "") -> list[str]:
    """Return the ids of a page of runs."""
    return [run["id"] for run in answered(client.get(f"/api/test-runs?{query}"), 200)]


def answered(response: Any, status: int) -> Any:
    """Check the status of a response and return its JSON."""
    assert response.status_code == status, response.get_data(as_text=True)
    return response.get_json()


def pointers(response: Any, status: int = 422) -> set[str]:
    """Return the pointers of the field errors in a response."""
    return {error["pointer"] for error in answered(response, status).get("errors", [])}


def concurrently(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all calls at the same time, each in a thread; return their results."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = []

    def work(call: Callable[[], Any]) -> None:
        barrier.wait()
        results.append(call())

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(calls)
    return results
