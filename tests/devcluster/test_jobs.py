"""Jobs run as processes: every end, as a client sees it."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from sparktest.devcluster.app import DevCluster
from tests.devcluster.client import (
    JOBS,
    PODS,
    Client,
    conditions,
    ended_job,
    events_of,
    eventually,
    job,
    pod_in,
    pods_of,
)

DEAF = "trap '' TERM; echo up; while :; do sleep 0.05; done"
POLITE = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"


def container(pod: Any) -> Any:
    return pod["status"]["containerStatuses"][0]


def log(client: Client, pod: Any, query: str = "") -> str:
    text: bytes = client.call("GET", f"{PODS}/{pod['metadata']['name']}/log{query}").body
    return text.decode()


def alive(mark: str) -> list[int]:
    """The processes whose command line holds the mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def test_a_job_that_succeeds(client: Client) -> None:
    client.create(JOBS, job("a", "echo out; echo err >&2; printf end"))
    done = ended_job(client, "a")
    assert conditions(done) == dict.fromkeys(
        ("SuccessCriteriaMet", "Complete"), "CompletionsReached"
    )
    status = done["status"]
    assert (status["succeeded"], status["ready"], status["terminating"]) == (1, 0, 0)
    assert status["startTime"] <= status["completionTime"]
    (pod,) = pods_of(client, "a")
    assert pod["status"]["phase"] == "Succeeded"
    assert "finalizers" not in pod["metadata"]
    state = container(pod)["state"]["terminated"]
    assert (state["exitCode"], state["reason"]) == (0, "Completed")
    assert log(client, pod) == "out\nerr\nend"


def test_a_job_that_fails(client: Client) -> None:
    client.create(JOBS, job("a", "echo bad; exit 3"))
    done = ended_job(client, "a")
    assert conditions(done) == dict.fromkeys(("FailureTarget", "Failed"), "BackoffLimitExceeded")
    assert done["status"]["failed"] == 1
    (pod,) = pods_of(client, "a")
    assert pod["status"]["phase"] == "Failed"
    assert container(pod)["state"]["terminated"]["exitCode"] == 3
    assert ("BackoffLimitExceeded", "Job has reached the specified backoff limit") in events_of(
        client, "a"
    )


@pytest.mark.parametrize(("script", "code"), [(POLITE, 0), (DEAF, 137), ("echo up; sleep 60", 143)])
def test_the_deadline_of_a_pod_stops_it_and_keeps_it_and_its_log(
    client: Client, script: str, code: int
) -> None:
    client.create(JOBS, job("a", script))
    running = pod_in(client, "a", "running")
    eventually(lambda: log(client, running))
    path = f"{PODS}/{running['metadata']['name']}"
    client.patch(path, {"spec": {"activeDeadlineSeconds": 1}})
    done = ended_job(client, "a")
    assert conditions(done)["Failed"] == "BackoffLimitExceeded"
    (pod,) = pods_of(client, "a")
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "DeadlineExceeded")
    assert container(pod)["state"]["terminated"]["exitCode"] == code
    assert log(client, pod).startswith("up\n")


def test_a_pod_that_is_stopped_never_looks_as_if_it_had_ended_by_itself(client: Client) -> None:
    client.create(JOBS, job("a", "sleep 60"))
    pod = pod_in(client, "a", "running")
    path = f"{PODS}?watch=1&resourceVersion={pod['metadata']['resourceVersion']}"
    with client.stream(path) as stream:
        one_second = {"spec": {"activeDeadlineSeconds": 1}}
        client.patch(f"{PODS}/{pod['metadata']['name']}", one_second)

        seen: list[dict[str, str]] = []
        while not seen or seen[-1]["phase"] != "Failed":
            seen.append(stream.event()["object"]["status"])

    assert seen[-1]["reason"] == "DeadlineExceeded"


def test_the_deadline_of_a_job_deletes_its_pod(client: Client) -> None:
    client.create(JOBS, job("a", POLITE, spec={"activeDeadlineSeconds": 1}))
    done = ended_job(client, "a")
    assert conditions(done) == dict.fromkeys(("FailureTarget", "Failed"), "DeadlineExceeded")
    eventually(lambda: pods_of(client, "a") == [])


def test_a_stop_by_a_short_deadline_keeps_pod_and_log(client: Client) -> None:
    client.create(JOBS, job("a", POLITE))
    pod = pod_in(client, "a", "running")
    client.patch(f"{PODS}/{pod['metadata']['name']}", {"spec": {"activeDeadlineSeconds": 1}})
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    assert "bye\n" in log(client, pod)


def test_nothing_that_a_process_leaves_behind_goes_on(client: Client) -> None:
    mark = f"left-{os.getpid()}-x"
    hide = f"exec -a {mark} sleep 300"
    script = (
        f"bash -c '{hide}' & setsid bash -c '{hide}' & env -i bash -c '{hide}' & "
        f"(setsid env -i bash -c '{hide} & {hide}' &) & sleep 0.5; echo done"
    )
    client.create(JOBS, job("a", script))
    eventually(lambda: len(alive(mark)) >= 4)
    ended_job(client, "a")
    assert alive(mark) == []


def test_children_too_are_told_to_end_and_have_the_grace_for_it(client: Client) -> None:
    child = "trap 'sleep 0.3; echo child bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    body = job("a", f'bash -c "{child}"; true', pod={"terminationGracePeriodSeconds": 8})
    client.create(JOBS, body)
    pod = pod_in(client, "a", "running")
    eventually(lambda: "up" in log(client, pod))
    client.patch(f"{PODS}/{pod['metadata']['name']}", {"spec": {"activeDeadlineSeconds": 1}})
    ended_job(client, "a")
    assert "child bye" in log(client, pod)


def test_deleting_a_job_ends_its_process_and_takes_the_pod_along(client: Client) -> None:
    mark = f"deleted-{os.getpid()}-x"
    client.create(JOBS, job("a", f"exec bash -c 'exec -a {mark} sleep 300'"))
    eventually(lambda: alive(mark))
    client.delete(f"{JOBS}/a?propagationPolicy=Background")
    eventually(lambda: pods_of(client, "a") == [])
    assert alive(mark) == []


def test_a_pod_deleted_without_grace_is_gone_at_once_and_its_process_soon(client: Client) -> None:
    mark = f"forced-{os.getpid()}-x"
    spec = {
        "restartPolicy": "Never",
        "containers": [
            {"name": "c", "image": "i", "command": ["bash", "-c", f"exec -a {mark} sleep 300"]}
        ],
    }
    client.create(PODS, {"metadata": {"name": "p"}, "spec": spec})
    eventually(lambda: alive(mark))
    client.delete(f"{PODS}/p?gracePeriodSeconds=0")
    assert client.call("GET", f"{PODS}/p").code == 404
    eventually(lambda: alive(mark) == [])


def test_a_follower_reads_to_the_end_though_the_job_is_deleted(client: Client) -> None:
    client.create(JOBS, job("a", POLITE))
    name = pod_in(client, "a", "running")["metadata"]["name"]
    with client.stream(f"{PODS}/{name}/log?follow=true") as stream:
        assert stream.line() == b"up\n"
        client.delete(f"{JOBS}/a?propagationPolicy=Background")
        assert stream.rest().endswith(b"bye\n")


def test_a_failed_pod_is_replaced_as_often_as_allowed(cluster: DevCluster, own: Client) -> None:
    own.create(JOBS, job("a", "exit 1", spec={"backoffLimit": 1}))
    eventually(lambda: own.get(f"{JOBS}/a")["status"].get("failed") == 1)
    assert len(pods_of(own, "a")) == 1
    cluster.clock.advance(10)
    done = ended_job(own, "a")
    assert done["status"]["failed"] == 2
    assert len(pods_of(own, "a")) == 2


def test_several_pods_of_a_job(client: Client) -> None:
    client.create(JOBS, job("a", "true", spec={"completions": 3, "parallelism": 2}))
    assert ended_job(client, "a")["status"]["succeeded"] == 3


def test_a_suspended_job_has_no_pods_until_it_is_resumed(client: Client) -> None:
    client.create(JOBS, job("a", POLITE, spec={"suspend": True}))
    eventually(lambda: "Suspended" in conditions(client.get(f"{JOBS}/a")))
    assert pods_of(client, "a") == []
    client.patch(f"{JOBS}/a", {"spec": {"suspend": False}})
    pod_in(client, "a", "running")
    client.patch(f"{JOBS}/a", {"spec": {"suspend": True}})
    eventually(lambda: pods_of(client, "a") == [])
    status = client.get(f"{JOBS}/a")["status"]
    assert "failed" not in status
    assert "active" not in status


def test_an_absent_service_account_is_told_in_an_event_until_it_is_there(client: Client) -> None:
    client.create(JOBS, job("a", pod={"serviceAccountName": "late"}))
    account = f"service account {client.namespace}/late"
    event = eventually(lambda: [e for e in events_of(client, "a") if e[0] == "FailedCreate"])
    assert f'pods "a-" is forbidden: error looking up {account}: serviceaccount' in event[0][1]
    client.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "late"}})
    assert "Complete" in conditions(ended_job(client, "a"))


def test_an_absent_secret_holds_the_container_until_it_is_there(client: Client) -> None:
    client.create(JOBS, job("a", 'echo "got $TOKEN"', envFrom=[{"secretRef": {"name": "late"}}]))
    waiting = container(pod_in(client, "a", "waiting"))
    eventually(lambda: container(pods_of(client, "a")[0])["state"]["waiting"].get("message"))
    waiting = container(pods_of(client, "a")[0])["state"]["waiting"]
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'secret "late" not found'}
    secrets = "/api/v1/namespaces/default/secrets"
    client.create(secrets, {"metadata": {"name": "late"}, "stringData": {"TOKEN": "t0"}})
    ended_job(client, "a")
    assert log(client, pods_of(client, "a")[0]) == "got t0\n"


@pytest.mark.parametrize(
    ("more", "reason", "words"),
    [
        ({"script": None}, "CreateContainerConfigError", "named and not pulled"),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/x"}]},
            "CreateContainerConfigError",
            "volumes",
        ),
        ({"image": "Bad//Image"}, "InvalidImageName", "invalid reference format"),
        ({"image": "simulate/pull-error"}, "ImagePullBackOff", "simulate/pull-error"),
        ({"image": "simulate/never-pull"}, "ErrImageNeverPull", "simulated"),
    ],
)
def test_a_container_that_cannot_start_says_why(
    client: Client, more: dict[str, Any], reason: str, words: str
) -> None:
    client.create(JOBS, job("a", **more))

    def told() -> Any:
        states = [
            container(pod)["state"]
            for pod in pods_of(client, "a")
            if "containerStatuses" in pod["status"]
        ]
        return [s["waiting"] for s in states if s.get("waiting", {}).get("reason") == reason]

    (waiting,) = eventually(told)
    assert words in waiting["message"]
    (pod,) = pods_of(client, "a")
    reply = client.call("GET", f"{PODS}/{pod['metadata']['name']}/log")
    assert reply.code == 400
    client.patch(f"{PODS}/{pod['metadata']['name']}", {"spec": {"activeDeadlineSeconds": 1}})
    ended_job(client, "a")
    state = container(pods_of(client, "a")[0])["state"]["terminated"]
    assert (state["reason"], state["exitCode"]) == ("ContainerStatusUnknown", 137)


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
def test_an_image_can_pretend_what_a_process_cannot(
    client: Client, image: str, phase: str, pod_reason: str | None, reason: str
) -> None:
    client.create(JOBS, job("a", image=image))
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    assert (pod["status"]["phase"], pod["status"].get("reason")) == (phase, pod_reason)
    assert container(pod)["state"]["terminated"]["reason"] == reason


@pytest.mark.parametrize(
    "more", [{"image": "simulate/unschedulable"}, {"pod": {"nodeSelector": {"a": "b"}}}]
)
def test_a_pod_without_a_node_stays_pending_and_can_be_suspended(client: Client, more: Any) -> None:
    client.create(JOBS, job("a", **more))
    eventually(lambda: [c for p in pods_of(client, "a") for c in p["status"].get("conditions", ())])
    (pod,) = pods_of(client, "a")
    (scheduled,) = pod["status"]["conditions"]
    assert (scheduled["reason"], pod["status"]["phase"]) == ("Unschedulable", "Pending")
    assert "nodeName" not in pod["spec"]
    client.patch(f"{JOBS}/a", {"spec": {"suspend": True}})
    eventually(lambda: pods_of(client, "a") == [])


def test_a_program_that_is_not_there_is_a_start_error(client: Client) -> None:
    client.create(JOBS, job("a", None, command=["/does/not/exist"]))
    ended_job(client, "a")
    state = container(pods_of(client, "a")[0])["state"]["terminated"]
    assert (state["exitCode"], state["reason"]) == (128, "StartError")
    assert "/does/not/exist" in state["message"]


def test_a_process_sees_nothing_of_the_users_environment(
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


def test_every_run_has_a_folder_of_its_own_that_goes_with_its_pod(client: Client) -> None:
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


def test_what_a_run_used_is_noted_and_that_its_image_was_not_pulled(client: Client) -> None:
    client.create(JOBS, job("a", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"))
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    notes = pod["metadata"]["annotations"]
    assert re.fullmatch(r"[1-9]\d*Mi", notes["devcluster.sparktest.dev/memory"])
    assert float(notes["devcluster.sparktest.dev/cpu"].rstrip("s")) > 0
    assert "not pulled" in notes["devcluster.sparktest.dev/image"]
    assert "not pulled" in container(pod)["imageID"]
    assert "ImageNotPulled" in dict(events_of(client, pod["metadata"]["name"]))


def test_init_containers_run_first_and_a_failed_one_is_the_end(client: Client) -> None:
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


def test_of_two_containers_one_has_to_be_named(client: Client) -> None:
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


def test_a_large_log_is_kept_whole(client: Client) -> None:
    client.create(JOBS, job("a", "seq 1 300000"))
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    text = log(client, pod)
    assert text == "".join(f"{number}\n" for number in range(1, 300001))
    assert log(client, pod, "?tailLines=2") == "299999\n300000\n"
