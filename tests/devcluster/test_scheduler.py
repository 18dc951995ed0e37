"""The scheduler: the limit of running pods, and the state of the waiting ones."""

from pathlib import Path
from typing import Any

import pytest

from sparktest.devcluster import scheduler
from tests.devcluster.client import (
    JOBS,
    PODS,
    Client,
    ended_job,
    events_of,
    eventually,
    job,
    pods_of,
)


def wait_for(path: Path) -> str:
    return f"echo up; until [ -e {path} ]; do sleep 0.02; done"


def bound(client: Client) -> list[Any]:
    return [pod for pod in client.get(PODS)["items"] if "nodeName" in pod["spec"]]


def test_pods_beyond_the_limit_of_the_node_wait_for_the_end_of_one(
    own: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "MAX_PODS", 2)
    for name in "abcde":
        own.create(JOBS, job(name, wait_for(tmp_path / name)))
    eventually(
        lambda: len([p for p in own.get(PODS)["items"] if p["status"].get("conditions")]) == 5
    )
    assert {pod["metadata"]["labels"]["job-name"] for pod in bound(own)} == {"a", "b"}
    (waiting,) = pods_of(own, "c")
    (condition,) = waiting["status"]["conditions"]
    assert (waiting["status"]["phase"], condition["reason"]) == ("Pending", "Unschedulable")
    assert "Too many pods" in condition["message"]
    assert "FailedScheduling" in dict(events_of(own, waiting["metadata"]["name"]))
    (tmp_path / "b").touch()
    ended_job(own, "b")
    eventually(lambda: "nodeName" in pods_of(own, "c")[0]["spec"])
    for name in "acde":
        (tmp_path / name).touch()
    for name in "acde":
        assert "succeeded" in ended_job(own, name)["status"]


def test_a_pod_that_is_deleted_while_it_waits_is_skipped(
    own: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "MAX_PODS", 1)
    for name in "abc":
        own.create(JOBS, job(name, wait_for(tmp_path / name)))
    eventually(
        lambda: len([p for p in own.get(PODS)["items"] if p["status"].get("conditions")]) == 3
    )
    own.delete(f"{JOBS}/b?propagationPolicy=Background")
    eventually(lambda: pods_of(own, "b") == [])
    own.patch(f"{JOBS}/a", {"spec": {"suspend": True}})
    eventually(lambda: "nodeName" in pods_of(own, "c")[0]["spec"])
    (tmp_path / "c").touch()
    ended_job(own, "c")


def test_the_node_status_has_the_limit_of_pods(client: Client) -> None:
    (node,) = client.get("/api/v1/nodes")["items"]
    assert node["status"]["capacity"] == node["status"]["allocatable"] == {"pods": "110"}
