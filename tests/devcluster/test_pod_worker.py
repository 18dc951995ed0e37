"""Containers as processes: start errors, simulated states, logs, home folders, usage."""

import re
from pathlib import Path
from typing import Any

import pytest

from sparktest.devcluster import pod_worker
from sparktest.devcluster.pod_record import PodRuntime
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


@pytest.mark.parametrize(
    ("more", "reason", "words"),
    [
        (
            {"envFrom": [{"secretRef": {"name": "none"}}]},
            "CreateContainerConfigError",
            'secret "none" not found',
        ),
        ({"image": "Bad//Image"}, "InvalidImageName", "invalid reference format"),
        ({"image": "simulate/pull-error"}, "ImagePullBackOff", "simulate/pull-error"),
        ({"image": "simulate/never-pull"}, "ErrImageNeverPull", "simulated"),
    ],
)
def test_a_container_that_cannot_start_waits_with_a_reason(
    client: Client, more: dict[str, Any], reason: str, words: str
) -> None:
    client.create(JOBS, job("a", **more))

    def waiting_states() -> Any:
        states = [
            container(pod)["state"]
            for pod in pods_of(client, "a")
            if "containerStatuses" in pod["status"]
        ]
        return [s["waiting"] for s in states if s.get("waiting", {}).get("reason") == reason]

    (waiting,) = eventually(waiting_states)
    assert words in waiting["message"]
    (pod,) = pods_of(client, "a")
    reply = client.call("GET", f"{PODS}/{pod['metadata']['name']}/log")
    assert reply.code == 400
    client.patch(f"{PODS}/{pod['metadata']['name']}", {"spec": {"activeDeadlineSeconds": 1}})
    ended_job(client, "a")
    state = container(pods_of(client, "a")[0])["state"]["terminated"]
    assert (state["reason"], state["exitCode"]) == ("ContainerStatusUnknown", 137)


def test_a_container_that_cannot_start_gets_one_event_however_often_its_pod_changes(
    client: Client,
) -> None:
    client.create(JOBS, job("a", envFrom=[{"secretRef": {"name": "none"}}]))
    pod = pod_in(client, "a", "waiting")
    path = f"{PODS}/{pod['metadata']['name']}"
    eventually(lambda: "message" in container(client.get(path))["state"]["waiting"])
    for number in range(5):
        client.patch(path, {"metadata": {"labels": {"number": str(number)}}})
    client.patch(path, {"spec": {"activeDeadlineSeconds": 1}})
    ended_job(client, "a")

    events = client.get("/api/v1/namespaces/default/events")["items"]
    assert [each["count"] for each in events if each["reason"] == "Failed"] == [1]


@pytest.mark.parametrize(
    ("image", "phase", "pod_reason", "reason"),
    [
        ("simulate/oom", "Failed", None, "OOMKilled"),
        ("simulate/evicted", "Failed", "Evicted", "ContainerStatusUnknown"),
        ("simulate/node-lost", "Failed", "NodeLost", "ContainerStatusUnknown"),
        ("simulate/start-error:v1", "Failed", None, "StartError"),
        ("simulate/succeed", "Succeeded", None, "Completed"),
        ("simulate/fail", "Failed", None, "Error"),
    ],
)
def test_an_image_simulates_an_end_that_a_process_cannot_have(
    client: Client, image: str, phase: str, pod_reason: str | None, reason: str
) -> None:
    client.create(JOBS, job("a", image=image))
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    assert (pod["status"]["phase"], pod["status"].get("reason")) == (phase, pod_reason)
    assert container(pod)["state"]["terminated"]["reason"] == reason


def test_a_pod_without_a_node_stays_pending_and_can_be_suspended(client: Client) -> None:
    client.create(JOBS, job("a", image="simulate/unschedulable"))
    eventually(lambda: [c for p in pods_of(client, "a") for c in p["status"].get("conditions", ())])
    (pod,) = pods_of(client, "a")
    (scheduled,) = pod["status"]["conditions"]
    assert (scheduled["reason"], pod["status"]["phase"]) == ("Unschedulable", "Pending")
    assert "nodeName" not in pod["spec"]
    client.patch(f"{JOBS}/a", {"spec": {"suspend": True}})
    eventually(lambda: pods_of(client, "a") == [])


def test_a_pod_whose_worker_fails_is_marked_as_lost(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def task(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(PodRuntime, "task", task)
    client.create(JOBS, job("a"))
    assert "Failed" in conditions(ended_job(client, "a"))
    assert pods_of(client, "a")[0]["status"]["reason"] == "NodeLost"


def test_a_container_whose_process_cannot_be_started_is_a_start_error(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(pod_worker, "Process", fail)
    client.create(JOBS, job("a"))
    ended_job(client, "a")
    state = container(pods_of(client, "a")[0])["state"]["terminated"]
    assert state["reason"] == "StartError"
    assert state["message"] == "the process cannot be started: Resource temporarily unavailable"


def test_a_missing_program_is_a_start_error(client: Client) -> None:
    client.create(JOBS, job("a", None, command=["/does/not/exist"]))
    ended_job(client, "a")
    state = container(pods_of(client, "a")[0])["state"]["terminated"]
    assert (state["exitCode"], state["reason"]) == (128, "StartError")
    assert "/does/not/exist" in state["message"]


def test_a_process_does_not_inherit_the_environment_of_the_user(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KUBECONFIG", "AWS_SECRET_ACCESS_KEY", "SPARKTEST_TOKEN", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "canary")
    script = "env; cat /proc/self/environ /proc/$PPID/environ | tr '\\0' '\\n'; pwd; ls -a"
    client.create(JOBS, job("a", script, env=[{"name": "OWN", "value": "$(HOSTNAME)!"}]))
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    text = log(client, pod)
    assert "canary" not in text
    assert f"OWN={pod['metadata']['name']}!" in text
    home = re.search(r"^HOME=(.*)$", text, re.MULTILINE)
    assert home is not None
    assert f"\n{home[1]}\n.\n..\n" in text


def test_every_pod_has_its_own_home_folder_that_is_deleted_with_it(client: Client) -> None:
    for name in ("a", "b"):
        client.create(
            JOBS, job(name, 'touch "$HOME/mine" "$TMPDIR/mine"; ls "$HOME"; echo "$HOME"')
        )
    ended_job(client, "a"), ended_job(client, "b")
    homes = []
    for name in ("a", "b"):
        listing, home = log(client, pods_of(client, name)[0]).splitlines()
        assert listing == "mine"
        homes.append(Path(home))
    assert homes[0] != homes[1]
    client.delete(f"{JOBS}/a?propagationPolicy=Background")
    eventually(lambda: not homes[0].exists())
    assert homes[1].exists()


def test_annotations_show_the_usage_and_that_the_image_was_not_pulled(client: Client) -> None:
    client.create(JOBS, job("a", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"))
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    notes = pod["metadata"]["annotations"]
    assert re.fullmatch(r"[1-9]\d*Mi", notes["devcluster.sparktest.dev/memory"])
    assert float(notes["devcluster.sparktest.dev/cpu"].rstrip("s")) > 0
    assert "not pulled" in notes["devcluster.sparktest.dev/image"]
    assert "not pulled" in container(pod)["imageID"]


def test_one_event_of_a_pod_lists_what_its_processes_do_not_get(client: Client) -> None:
    init = [{"name": "init", "image": "i", "command": ["true"], "ports": [{"containerPort": 1}]}]
    body = job("a", pod={"initContainers": init, "nodeSelector": {"a": "b"}})
    client.create(JOBS, body)
    assert "Complete" in conditions(ended_job(client, "a"))
    (pod,) = pods_of(client, "a")
    events = [each for each in events_of(client, pod["metadata"]["name"]) if "Ign" in each[0]]
    text = "Its commands run as processes of this machine, without: image, nodeSelector,"
    assert events == [("FieldsIgnored", f"{text} ports")]


def test_a_pod_that_needs_what_a_process_cannot_have_fails_at_once(client: Client) -> None:
    volumes = [{"name": "data", "csi": {"driver": "d"}}]
    mounts = [{"name": "data", "mountPath": "/data"}]
    client.create(JOBS, job("a", pod={"volumes": volumes}, volumeMounts=mounts))
    assert "Failed" in conditions(ended_job(client, "a"))
    (pod,) = pods_of(client, "a")
    message = (
        "the dev cluster cannot mount volume data (csi); "
        "run on a real cluster: sparktest up --context NAME"
    )
    status = pod["status"]
    assert (status["phase"], status["reason"], status["message"]) == (
        "Failed",
        "Unsupported",
        message,
    )
    assert "containerStatuses" not in status
    assert ("Unsupported", message) in events_of(client, pod["metadata"]["name"])
    assert client.call("GET", f"{PODS}/{pod['metadata']['name']}/log").code == 400


def test_init_containers_run_first_and_a_failed_one_fails_the_pod(client: Client) -> None:
    init = [{"name": "init", "image": "i", "command": ["sh", "-c", "echo first"]}]
    client.create(JOBS, job("a", "echo second", pod={"initContainers": init}))
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    assert log(client, pod, "?container=init") == "first\n"
    assert log(client, pod) == "second\n"
    init[0]["command"] = ["sh", "-c", "exit 4"]
    client.create(JOBS, job("b", "echo never", pod={"initContainers": init}))
    assert "Failed" in conditions(ended_job(client, "b"))
    (pod,) = pods_of(client, "b")
    assert pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 4
    assert "terminated" not in container(pod)["state"]


def test_the_log_of_a_pod_with_two_containers_needs_a_container_name(client: Client) -> None:
    second = {"name": "side", "image": "i", "command": ["sh", "-c", "echo side"]}
    body = job("a", "echo main")
    body["spec"]["template"]["spec"]["containers"].append(second)
    client.create(JOBS, body)
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    path = f"{PODS}/{pod['metadata']['name']}/log"
    reply = client.call("GET", path)
    assert reply.code == 400
    assert "[test side]" in reply.body["message"]
    assert log(client, pod, "?container=side") == "side\n"
    assert client.call("GET", f"{path}?container=nope").code == 400


def test_a_large_log_is_stored_completely(client: Client) -> None:
    client.create(JOBS, job("a", "seq 1 300000"))
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    text = log(client, pod)
    assert text == "".join(f"{number}\n" for number in range(1, 300001))
    assert log(client, pod, "?tailLines=2") == "299999\n300000\n"


def test_an_endless_line_can_be_followed_and_stopped(client: Client) -> None:
    client.create(JOBS, job("a", "tr '\\0' x < /dev/zero"))
    name = pod_in(client, "a", "running")["metadata"]["name"]
    with client.stream(f"{PODS}/{name}/log?follow=1&limitBytes=3000000") as stream:
        assert stream.rest() == b"x" * 3_000_000
    client.patch(f"{PODS}/{name}", {"spec": {"activeDeadlineSeconds": 1}})
    ended_job(client, "a")
    assert len(log(client, pods_of(client, "a")[0], "?tailLines=1&limitBytes=10")) == 10


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('printf "it broke" > "$SPARKTEST_TERMINATION_LOG"; exit 3', "it broke"),
        ('head -c 5000 /dev/zero | tr "\\0" x > "$SPARKTEST_TERMINATION_LOG"; exit 3', "x" * 4096),
        ("exit 3", None),
        ('rm "$SPARKTEST_TERMINATION_LOG"; exit 3', None),
        (
            'cd "$TMPDIR"; rm "$SPARKTEST_TERMINATION_LOG"; '
            'mkfifo "$SPARKTEST_TERMINATION_LOG"; exit 3',
            None,
        ),
        ('ln -sf /etc/passwd "$SPARKTEST_TERMINATION_LOG"; exit 3', None),
    ],
    ids=["text", "long", "none", "removed", "FIFO", "symlink"],
)
def test_a_container_can_leave_a_termination_message(
    client: Client, script: str, message: str | None
) -> None:
    client.create(JOBS, job("a", script))

    ended_job(client, "a")

    state = container(pods_of(client, "a")[0])["state"]["terminated"]
    assert (state["exitCode"], state.get("message")) == (3, message)


def test_python_is_found_but_no_program_of_the_environment_of_sparktest(client: Client) -> None:
    script = "python -c 'print(1)'; command -v sparktest || echo none"
    client.create(JOBS, job("a", script))
    ended_job(client, "a")
    assert log(client, pods_of(client, "a")[0]) == "1\nnone\n"
