"""Pods with volumes and working directories, as processes of this machine."""

import os
from pathlib import Path
from typing import Any

import pytest

from sparktest.devcluster import pod_record
from sparktest.devcluster.mounts import can_mount
from tests.devcluster.client import (
    JOBS,
    MAPS,
    PODS,
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
    processes_named,
)

MISSING = Path("/sparktest-work")
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


@pytest.fixture(params=["mounted", "not mounted"])
def mounted(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> bool:
    """Whether containers see volumes at their mountPath."""
    wanted: bool = request.param == "mounted"
    if wanted and not can_mount(tmp_path):
        pytest.skip("no mount namespaces here")
    monkeypatch.setattr(pod_record, "can_mount", lambda _: wanted)
    return wanted


@pytest.mark.usefixtures("mounted")
def test_containers_of_a_pod_share_an_empty_folder(client: Client) -> None:
    read = 'cat "$SPARKTEST_VOLUME_MY_WORK"/file; ls -a "$SPARKTEST_VOLUME_MY_WORK"'
    text = output(client, with_work(read, "echo one > file", "echo two >> file"))
    assert text == "one\ntwo\n.\n..\nfile\n"


@pytest.mark.usefixtures("mounted")
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


def test_a_volume_is_at_its_mount_path_where_that_is_possible(
    client: Client, mounted: bool
) -> None:
    text = output(client, with_work("cat /sparktest-work/file; pwd", "echo one > file"))
    assert text.startswith("one\n") == mounted
    assert not MISSING.exists()


@pytest.mark.usefixtures("mounted")
def test_a_process_has_the_same_user_and_home_with_and_without_volumes(client: Client) -> None:
    script = 'id; cd "$HOME"; ls /proc/self/fd | wc -l; unset HOSTNAME; pwd | tail -c 5'
    client.create(JOBS, job("b", script))
    ended_job(client, "b")
    assert output(client, with_work(script)) == log(client, pods_of(client, "b")[0])


@pytest.mark.usefixtures("mounted")
def test_a_process_with_volumes_is_stopped_with_all_its_children(client: Client) -> None:
    mark = f"{60 + os.getpid() / 1e7:.7f}"
    script = f"trap 'exit 5' TERM; setsid sleep {mark} & echo up; wait"
    client.create(JOBS, with_work(script))
    name = pod_in(client, "a", "running")["metadata"]["name"]
    eventually(lambda: processes_named(mark))
    client.patch(f"{PODS}/{name}", {"spec": {"activeDeadlineSeconds": 1}})
    ended_job(client, "a")
    assert container(pods_of(client, "a")[0])["state"]["terminated"]["exitCode"] == 5
    assert processes_named(mark) == []


def test_mounts_do_not_change_the_machine(client: Client, mounted: bool, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("own")
    os.utime(own, (0, 0))
    volumes = [{"name": "c", "configMap": {"name": "files"}}, {"name": "t", "emptyDir": {}}]
    mounts = [
        {"name": "c", "mountPath": f"{tmp_path}/new/config"},
        {"name": "c", "mountPath": f"{tmp_path}/own", "subPath": "a"},
        {"name": "t", "mountPath": "/tmp"},
    ]
    client.create(MAPS, config_map("files", a="from the ConfigMap"))
    script = f"cat {tmp_path}/own; echo changed > {tmp_path}/new/config/a"
    script += f"; touch /tmp/{tmp_path.name}" if mounted else ""
    text = output(client, job("a", script, pod={"volumes": volumes}, volumeMounts=mounts))
    assert ("from the ConfigMap" in text) == mounted
    if mounted:
        assert "Read-only file system" in text
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
    assert not Path(f"/tmp/{tmp_path.name}").exists()
    assert (own.read_text(), own.stat().st_mtime) == ("own", 0)
