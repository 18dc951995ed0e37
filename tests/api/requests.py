"""Bodies that tests send, and the answers they are sent for."""

from typing import Any

from flask.testing import FlaskClient

CLUSTER = "cluster-1"


def adhoc(**fields: Any) -> dict[str, Any]:
    """A run of an image."""
    return {"name": "login", "image": "busybox:1.35", "commands": ["true"], **fields}


def of_testrun(uid: str = "uid-1", **fields: Any) -> dict[str, Any]:
    """What the controller sends to register a TestRun."""
    ref = {"namespace": "shop", "name": "login", "uid": uid}
    return {"origin": "crd", "cluster": CLUSTER, "k8sRef": ref, "image": "busybox", **fields}


def create(client: FlaskClient, **fields: Any) -> Any:
    """The new run."""
    return answered(client.post("/api/test-runs", json=adhoc(**fields)), 201)


def register(client: FlaskClient, uid: str = "uid-1", **fields: Any) -> Any:
    """The new run of a TestRun."""
    return answered(client.post("/api/test-runs", json=of_testrun(uid, **fields)), 201)


def define(client: FlaskClient, **fields: Any) -> Any:
    """The new definition."""
    body = {"name": "smoke", "image": "busybox:1.35", "commands": ["true"], **fields}
    return answered(client.post("/api/test-definitions", json=body), 201)


def report(client: FlaskClient, run_id: str, status: str, **fields: Any) -> Any:
    """The run after a report."""
    body = {"status": status, **fields}
    return answered(client.put(f"/api/test-runs/{run_id}/report", json=body), 200)


def get(client: FlaskClient, run_id: str) -> Any:
    """The run."""
    return answered(client.get(f"/api/test-runs/{run_id}"), 200)


def ids(client: FlaskClient, query: str = "") -> list[str]:
    """The ids of a page of runs."""
    return [run["id"] for run in answered(client.get(f"/api/test-runs?{query}"), 200)]


def answered(response: Any, status: int) -> Any:
    """The JSON of an answer with this status."""
    assert response.status_code == status, response.get_data(as_text=True)
    return response.get_json()


def pointers(response: Any, status: int = 422) -> set[str]:
    """The fields that a refusal names."""
    return {error["pointer"] for error in answered(response, status).get("errors", [])}
