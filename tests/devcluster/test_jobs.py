"""Jobs from creation to completion, as a client sees them."""

import os

import pytest

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
    processes_named,
)
from tests.devcluster.faults import Faults

IGNORES_TERM = "trap '' TERM; echo up; while :; do sleep 0.05; done"
EXITS_ON_TERM = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"


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


@pytest.mark.parametrize(
    ("script", "code"), [(EXITS_ON_TERM, 0), (IGNORES_TERM, 137), ("echo up; sleep 60", 143)]
)
def test_the_deadline_of_a_pod_stops_it_and_keeps_pod_and_log(
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


def test_a_stopped_pod_fails_with_the_reason_in_the_same_update(client: Client) -> None:
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
    client.create(JOBS, job("a", EXITS_ON_TERM, spec={"activeDeadlineSeconds": 1}))
    done = ended_job(client, "a")
    assert conditions(done) == dict.fromkeys(("FailureTarget", "Failed"), "DeadlineExceeded")
    eventually(lambda: pods_of(client, "a") == [])


def test_a_process_stopped_by_a_short_deadline_can_still_write_its_log(client: Client) -> None:
    client.create(JOBS, job("a", EXITS_ON_TERM))
    pod = pod_in(client, "a", "running")
    client.patch(f"{PODS}/{pod['metadata']['name']}", {"spec": {"activeDeadlineSeconds": 1}})
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    assert "bye\n" in log(client, pod)


def test_no_descendant_survives_the_main_process(client: Client) -> None:
    mark = f"left-{os.getpid()}-x"
    sleep = f"exec -a {mark} sleep 300"
    script = (
        f"bash -c '{sleep}' & setsid bash -c '{sleep}' & env -i bash -c '{sleep}' & "
        f"(setsid env -i bash -c '{sleep} & {sleep}' &) & sleep 0.5; echo done"
    )
    client.create(JOBS, job("a", script))
    eventually(lambda: len(processes_named(mark)) >= 4)
    ended_job(client, "a")
    assert processes_named(mark) == []


def test_children_get_term_and_the_grace_period_too(client: Client) -> None:
    child = "trap 'sleep 0.3; echo child bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    body = job("a", f'bash -c "{child}"; true', pod={"terminationGracePeriodSeconds": 8})
    client.create(JOBS, body)
    pod = pod_in(client, "a", "running")
    eventually(lambda: "up" in log(client, pod))
    client.patch(f"{PODS}/{pod['metadata']['name']}", {"spec": {"activeDeadlineSeconds": 1}})
    ended_job(client, "a")
    assert "child bye" in log(client, pod)


def test_deleting_a_job_ends_its_process_and_deletes_its_pod(client: Client) -> None:
    mark = f"deleted-{os.getpid()}-x"
    client.create(JOBS, job("a", f"exec bash -c 'exec -a {mark} sleep 300'"))
    eventually(lambda: processes_named(mark))
    client.delete(f"{JOBS}/a?propagationPolicy=Background")
    eventually(lambda: pods_of(client, "a") == [])
    assert processes_named(mark) == []


def test_a_force_deleted_pod_is_gone_at_once_and_its_process_soon(client: Client) -> None:
    mark = f"forced-{os.getpid()}-x"
    spec = {
        "restartPolicy": "Never",
        "containers": [
            {"name": "c", "image": "i", "command": ["bash", "-c", f"exec -a {mark} sleep 300"]}
        ],
    }
    client.create(PODS, {"metadata": {"name": "p"}, "spec": spec})
    eventually(lambda: processes_named(mark))
    client.delete(f"{PODS}/p?gracePeriodSeconds=0")
    assert client.call("GET", f"{PODS}/p").code == 404
    eventually(lambda: processes_named(mark) == [])


def test_a_follower_reads_to_the_end_of_the_log_when_the_job_is_deleted(client: Client) -> None:
    client.create(JOBS, job("a", EXITS_ON_TERM))
    name = pod_in(client, "a", "running")["metadata"]["name"]
    with client.stream(f"{PODS}/{name}/log?follow=true") as stream:
        assert stream.line() == b"up\n"
        client.delete(f"{JOBS}/a?propagationPolicy=Background")
        assert stream.rest().endswith(b"bye\n")


def test_a_failed_pod_is_replaced_up_to_the_backoff_limit(own: Client, faults: Faults) -> None:
    own.create(JOBS, job("a", "exit 1", spec={"backoffLimit": 1}))
    eventually(lambda: own.get(f"{JOBS}/a")["status"].get("failed") == 1)
    assert len(pods_of(own, "a")) == 1
    faults.move_clock(10)
    done = ended_job(own, "a")
    assert done["status"]["failed"] == 2
    assert len(pods_of(own, "a")) == 2


def test_a_job_with_completions_runs_several_pods(client: Client) -> None:
    client.create(JOBS, job("a", "true", spec={"completions": 3, "parallelism": 2}))
    assert ended_job(client, "a")["status"]["succeeded"] == 3


def test_a_suspended_job_has_no_pods_until_it_is_resumed(client: Client) -> None:
    client.create(JOBS, job("a", EXITS_ON_TERM, spec={"suspend": True}))
    eventually(lambda: "Suspended" in conditions(client.get(f"{JOBS}/a")))
    assert pods_of(client, "a") == []
    client.patch(f"{JOBS}/a", {"spec": {"suspend": False}})
    pod_in(client, "a", "running")
    client.patch(f"{JOBS}/a", {"spec": {"suspend": True}})
    eventually(lambda: pods_of(client, "a") == [])
    status = client.get(f"{JOBS}/a")["status"]
    assert "failed" not in status
    assert "active" not in status


def test_a_missing_service_account_is_reported_in_an_event_until_it_exists(client: Client) -> None:
    client.create(JOBS, job("a", pod={"serviceAccountName": "late"}))
    account = f"service account {client.namespace}/late"
    event = eventually(lambda: [e for e in events_of(client, "a") if e[0] == "FailedCreate"])
    assert f'pods "a-" is forbidden: error looking up {account}: serviceaccount' in event[0][1]
    client.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "late"}})
    assert "Complete" in conditions(ended_job(client, "a"))


def test_a_container_waits_for_a_missing_secret(client: Client) -> None:
    client.create(JOBS, job("a", 'echo "got $TOKEN"', envFrom=[{"secretRef": {"name": "late"}}]))
    waiting = container(pod_in(client, "a", "waiting"))
    eventually(lambda: container(pods_of(client, "a")[0])["state"]["waiting"].get("message"))
    waiting = container(pods_of(client, "a")[0])["state"]["waiting"]
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'secret "late" not found'}
    secrets = "/api/v1/namespaces/default/secrets"
    client.create(secrets, {"metadata": {"name": "late"}, "stringData": {"TOKEN": "t0"}})
    ended_job(client, "a")
    assert log(client, pods_of(client, "a")[0]) == "got t0\n"


def test_a_job_with_very_long_deadlines_runs(client: Client) -> None:
    spec = {"activeDeadlineSeconds": 10**12, "ttlSecondsAfterFinished": 2**31 - 1}
    client.create(JOBS, job("a", "echo done", spec=spec, pod={"activeDeadlineSeconds": 10**12}))
    assert "Complete" in conditions(ended_job(client, "a"))
    client.create(JOBS, job("b"))
    assert "Complete" in conditions(ended_job(client, "b"))


def test_a_pod_with_a_very_long_grace_period_can_be_deleted(client: Client) -> None:
    body = job("a", IGNORES_TERM)["spec"]["template"] | {"metadata": {"name": "p"}}
    client.create(PODS, body)
    eventually(lambda: client.get(f"{PODS}/p")["status"]["phase"] == "Running")
    pod = client.delete(f"{PODS}/p?gracePeriodSeconds={10**12}")
    assert pod["metadata"]["deletionTimestamp"] == "9999-12-31T23:59:59Z"
    client.delete(f"{PODS}/p?gracePeriodSeconds=0")
    assert client.call("GET", f"{PODS}/p").code == 404
