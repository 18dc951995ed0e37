"""Pods with volumes and working directories, as processes of this machine."""

from typing import Any

from tests.devcluster.client import (
    JOBS,
    MAPS,
    Client,
    conditions,
    config_map,
    container,
    ended_job,
    events_of,
    eventually,
    job,
    log,
    pod_in,
    pods_of,
)

WORK = {"name": "my-work", "mountPath": "/sparktest-work"}


def with_work(script: str, *init: str, **test: Any) -> dict[str, Any]:
    """Return a Job with an emptyDir that the test and its init containers mount."""
    pod = {
        "volumes": [{"name": "my-work", "emptyDir": {}}],
        "initContainers": [
            {
                "name": f"init-{number}",
                "image": "busybox:1.35",
                "command": ["sh", "-c", text],
                "workingDir": "/sparktest-work",
                "volumeMounts": [WORK],
            }
            for number, text in enumerate(init)
        ],
    }
    return job("a", script, pod=pod, volumeMounts=[WORK], **test)


def output(client: Client, body: dict[str, Any]) -> str:
    client.create(JOBS, body)
    ended_job(client, "a")
    return log(client, pods_of(client, "a")[0])


def test_containers_of_a_pod_share_an_empty_folder(client: Client) -> None:
    read = 'cat "$SPARKTEST_VOLUME_MY_WORK"/file; ls -a "$SPARKTEST_VOLUME_MY_WORK"'
    text = output(client, with_work(read, "echo one > file", "echo two >> file"))
    assert text == "one\ntwo\n.\n..\nfile\n"


def test_the_working_directory_may_be_a_volume_or_inside_one(client: Client) -> None:
    body = with_work("cat ../../file", "echo one > file", workingDir="/sparktest-work/new/src")
    assert output(client, body) == "one\n"


def test_a_missing_working_directory_is_a_start_error_that_names_it(client: Client) -> None:
    client.create(JOBS, job("a", workingDir="/does/not/exist"))
    ended_job(client, "a")
    state = container(pods_of(client, "a")[0])["state"]["terminated"]
    assert (state["exitCode"], state["reason"]) == (128, "StartError")
    assert "/does/not/exist" in state["message"]


def test_a_config_map_is_mounted_as_soon_as_it_exists(client: Client) -> None:
    volumes = [{"name": "c", "configMap": {"name": "late"}}]
    mounts = [{"name": "c", "mountPath": "/sparktest-config"}]
    client.create(
        JOBS, job("a", 'cat "$SPARKTEST_VOLUME_C/x"', pod={"volumes": volumes}, volumeMounts=mounts)
    )
    pod = pod_in(client, "a", "waiting")
    name = pod["metadata"]["name"]
    event = ("FailedMount", 'MountVolume.SetUp failed for volume "c" : configmap "late" not found')
    eventually(lambda: event in events_of(client, name))
    assert container(pod)["state"] == {"waiting": {"reason": "ContainerCreating"}}

    client.create(MAPS, config_map("late", x="found"))

    assert "Complete" in conditions(ended_job(client, "a"))
    assert log(client, pod) == "found"
