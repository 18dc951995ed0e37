"""Native sidecars: init containers that run until the other containers have ended."""

from pathlib import Path
from typing import Any

import pytest

from sparktest.devcluster import pod_record
from tests.devcluster.client import (
    JOBS,
    PODS,
    Client,
    conditions,
    container,
    ended_job,
    events_of,
    eventually,
    job,
    log,
    pod_in,
    pods_of,
)


def server(name: str, folder: Path, on_term: str = "exit 0") -> dict[str, Any]:
    """Return a sidecar that is in `folder` once it is ready, and runs until it gets TERM."""
    text = f"trap '{on_term}' TERM; echo up; touch {folder}/{name}; while :; do sleep 0.05; done"
    return sidecar(name, text)


def until_ready(folder: Path, *names: str) -> str:
    """Return the shell commands that wait until the servers are ready."""
    tests = " && ".join(f"test -e {folder}/{name}" for name in names)
    return f"until {tests}; do sleep 0.05; done"


def sidecar(name: str, script: str) -> dict[str, Any]:
    command = ["sh", "-c", script]
    return {"name": name, "image": "i", "restartPolicy": "Always", "command": command}


def with_init(script: str, *init: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pod = {"initContainers": list(init), "terminationGracePeriodSeconds": 5} | spec
    return job("a", script, pod=pod)


def ended_pod(client: Client, body: dict[str, Any]) -> Any:
    client.create(JOBS, body)
    ended_job(client, "a")
    return pods_of(client, "a")[0]


def init_status(pod: Any, name: str) -> Any:
    return next(c for c in pod["status"]["initContainerStatuses"] if c["name"] == name)


def test_a_sidecar_runs_beside_the_test_and_is_stopped_after_it(
    client: Client, tmp_path: Path
) -> None:
    own = server("server", tmp_path, "echo stopped; exit 0")
    script = f"{until_ready(tmp_path, 'server')}; echo tested"
    pod = ended_pod(client, with_init(script, own))
    assert pod["status"]["phase"] == "Succeeded"
    assert log(client, pod) == "tested\n"
    text = log(client, pod, "?container=server").splitlines()
    assert (text[0], text[-1]) == ("up", "stopped")
    status = init_status(pod, "server")
    assert status["state"]["terminated"]["exitCode"] == 0
    assert (status["restartCount"], status["started"], status["ready"]) == (0, False, False)
    assert conditions(pod)["Initialized"] == "PodCompleted"


def test_while_the_test_runs_its_sidecar_is_started_and_ready(
    client: Client, tmp_path: Path
) -> None:
    client.create(JOBS, with_init("sleep 60", server("server", tmp_path)))
    pod = pod_in(client, "a", "running")
    assert pod["status"]["phase"] == "Running"
    status = init_status(pod, "server")
    assert (status["started"], status["ready"], list(status["state"])) == (True, True, ["running"])
    client.delete(f"{JOBS}/a?propagationPolicy=Background")
    eventually(lambda: pods_of(client, "a") == [])


def test_sidecars_are_stopped_in_reverse_order(client: Client, tmp_path: Path) -> None:
    names = ("one", "two", "three")
    servers = [server(name, tmp_path, f"echo {name} >> {tmp_path}/order; exit 0") for name in names]
    ended_pod(client, with_init(until_ready(tmp_path, *names), *servers))
    assert (tmp_path / "order").read_text().split() == ["three", "two", "one"]


def test_how_a_sidecar_ends_does_not_count(client: Client, tmp_path: Path) -> None:
    script, deaf = until_ready(tmp_path, "deaf"), server("deaf", tmp_path, "")
    pod = ended_pod(client, with_init(script, deaf, terminationGracePeriodSeconds=1))
    assert pod["status"]["phase"] == "Succeeded"
    assert init_status(pod, "deaf")["state"]["terminated"]["exitCode"] == 137
    failing = job("b", "exit 3", pod={"initContainers": [server("server", tmp_path)]})
    client.create(JOBS, failing)
    assert "Failed" in conditions(ended_job(client, "b"))
    assert container(pods_of(client, "b")[0])["state"]["terminated"]["exitCode"] == 3


def test_a_sidecar_that_ends_is_started_again_with_growing_delays(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pod_record, "BACK_OFF_SECONDS", 0.1)
    starts = f"{tmp_path}/starts"
    unstable = sidecar("unstable", f"echo start >> {starts}; wc -l < {starts}; exit 7")
    third = f"until test $(wc -l < {starts}) = 3; do sleep 0.05; done"
    pod = ended_pod(client, with_init(third, unstable))
    assert pod["status"]["phase"] == "Succeeded"
    status = init_status(pod, "unstable")
    assert status["restartCount"] == 2
    assert status["lastState"]["terminated"]["exitCode"] == 7
    assert log(client, pod, "?container=unstable") == "3\n"
    assert log(client, pod, "?container=unstable&previous=true") == "2\n"
    name = pod["metadata"]["name"]
    backed_off = f"Back-off restarting failed container unstable in pod {name}_"
    assert [text for reason, text in events_of(client, name) if reason == "BackOff"] == [
        f"{backed_off}{client.namespace}({pod['metadata']['uid']})"
    ]


def test_a_failing_init_container_stops_the_sidecars_before_it(
    client: Client, tmp_path: Path
) -> None:
    script = f"{until_ready(tmp_path, 'server')}; exit 2"
    init = {"name": "init", "image": "i", "command": ["sh", "-c", script]}
    pod = ended_pod(client, with_init("echo never", server("server", tmp_path), init))
    assert pod["status"]["phase"] == "Failed"
    assert init_status(pod, "server")["state"]["terminated"]["exitCode"] == 0
    assert init_status(pod, "init")["state"]["terminated"]["exitCode"] == 2
    initialized = next(c for c in pod["status"]["conditions"] if c["type"] == "Initialized")
    assert initialized["message"] == "containers with incomplete status: [server init]"
    assert container(pod)["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_a_pod_that_is_stopped_during_an_init_container_fails_with_the_reason(
    client: Client,
) -> None:
    init = {"name": "init", "image": "i", "command": ["sleep", "600"]}
    client.create(JOBS, with_init("echo never", init))

    def runs() -> bool:
        statuses = (pod["status"].get("initContainerStatuses", ()) for pod in pods_of(client, "a"))
        return any("running" in entry["state"] for found in statuses for entry in found)

    eventually(runs)
    pod = pods_of(client, "a")[0]["metadata"]
    with client.stream(f"{PODS}?watch=1&resourceVersion={pod['resourceVersion']}") as stream:
        client.patch(f"{PODS}/{pod['name']}", {"spec": {"activeDeadlineSeconds": 1}})
        phase, status = "", {}
        while phase != "Failed":
            (event,) = stream.events(1)
            status = event["object"]["status"]
            phase = status["phase"]
    assert status["reason"] == "DeadlineExceeded"


def test_a_deadline_stops_the_test_before_its_sidecar(client: Client, tmp_path: Path) -> None:
    own = server("server", tmp_path, f"echo server >> {tmp_path}/order; exit 0")
    test = server("test", tmp_path, f"sleep 0.3; echo test >> {tmp_path}/order; exit 0")
    client.create(JOBS, with_init(test["command"][-1], own))
    eventually(lambda: (tmp_path / "server").exists() and (tmp_path / "test").exists())
    name = pod_in(client, "a", "running")["metadata"]["name"]
    client.patch(f"{PODS}/{name}", {"spec": {"activeDeadlineSeconds": 1}})
    ended_job(client, "a")
    assert pods_of(client, "a")[0]["status"]["reason"] == "DeadlineExceeded"
    assert (tmp_path / "order").read_text().split() == ["test", "server"]
