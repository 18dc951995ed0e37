"""A dev cluster that is killed: its processes end, its pods are lost, what it answered stays."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sparktest.devcluster.app import DevCluster
from sparktest.devcluster.processes import MARK
from sparktest.domain import DEVCLUSTER_UID_PREFIX, FailureClass
from sparktest.kube.outcome import observe
from tests.devcluster.client import (
    JOBS,
    MAPS,
    PODS,
    Client,
    config_map,
    ended_job,
    eventually,
    job,
    pod_in,
    pods_of,
)
from tests.kube.objects import a_run, at

PROGRAM = (
    "import sys; from pathlib import Path; from sparktest.devcluster.app import run; "
    "run(Path(sys.argv[1]), ready=lambda _: print('ready', flush=True))"
)


class Elsewhere(NamedTuple):
    """A dev cluster in another process."""

    kubeconfig: Path


@contextmanager
def killable(folder: Path) -> Iterator[tuple[Client, "subprocess.Popen[bytes]"]]:
    """A dev cluster in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        client = Client(Elsewhere(folder / "kubeconfig"))
        try:
            yield client, process
        finally:
            client.close()
            process.kill()


@contextmanager
def restarted(folder: Path) -> Iterator[Client]:
    with DevCluster.start(folder) as cluster:
        client = Client(cluster)
        try:
            yield client
        finally:
            client.close()


def with_mark(mark: str) -> list[int]:
    """The processes that have the mark in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def shims_of(process: "subprocess.Popen[bytes]") -> list[int]:
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(pid) for path in children for pid in path.read_text().split()]


def running_job(client: Client, script: str) -> Any:
    client.create(JOBS, job("a", script))
    return pod_in(client, "a", "running")


def family(mark: str) -> str:
    """A script that leaves children in its group, in sessions of their own and without marks."""
    sleep = f"exec -a {mark} sleep 300"
    return (
        f"echo up; bash -c '{sleep}' & setsid bash -c '{sleep}' & env -i bash -c '{sleep}' & "
        f"(setsid env -i bash -c '{sleep} & {sleep}' &) & wait; sleep 300"
    )


def test_after_a_kill_nothing_goes_on_and_the_pod_is_lost_with_its_node(tmp_path: Path) -> None:
    mark = f"killed-{os.getpid()}-x"
    with killable(tmp_path / "cluster") as (client, process):
        once = f"echo once >> {tmp_path}/times; "
        running_job(client, once + family(mark))
        eventually(lambda: len(with_mark(mark)) >= 5)
        process.kill()
        eventually(lambda: with_mark(mark) == [])
    with restarted(tmp_path / "cluster") as client:
        done = ended_job(client, "a")
        (pod,) = pods_of(client, "a")
        assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "NodeLost")
        path = f"{PODS}/{pod['metadata']['name']}/log"
        assert client.call("GET", path).body == b"up\n"
        assert done["status"]["failed"] == 1
    assert (tmp_path / "times").read_text() == "once\n"
    failure = observe(a_run(), done, [pod], at(30)).failure
    assert failure is not None
    assert (failure.class_, failure.reason) == (FailureClass.INFRA, "NodeLost")


def test_processes_whose_keeper_was_killed_too_end_on_the_restart(tmp_path: Path) -> None:
    mark = f"orphan-{os.getpid()}-x"
    sleep = f"exec -a {mark} sleep 300"
    with killable(tmp_path / "cluster") as (client, process):
        running_job(client, f"setsid bash -c '{sleep}' & bash -c '{sleep}' & wait")
        eventually(lambda: len(with_mark(mark)) >= 2)
        shims = shims_of(process)
        os.kill(process.pid, signal.SIGSTOP)  # so that it cannot tell of the end of its shims
        for pid in [*shims, process.pid]:
            os.kill(pid, signal.SIGKILL)
    assert with_mark(mark) != []
    with restarted(tmp_path / "cluster") as client:
        assert with_mark(mark) == []
        ended_job(client, "a")
        assert pods_of(client, "a")[0]["status"]["reason"] == "NodeLost"


def test_its_uid_says_what_it_is_and_stays(tmp_path: Path) -> None:
    with DevCluster.start(tmp_path / "cluster") as cluster:
        before = cluster.uid
    with DevCluster.start(tmp_path / "cluster") as cluster:
        assert cluster.uid == before
    assert str(uuid.UUID(before)) == before
    assert before.startswith(DEVCLUSTER_UID_PREFIX)


def test_only_its_own_processes_are_ended(tmp_path: Path) -> None:
    other = {MARK: "another-cluster/pod", "PATH": os.environ["PATH"]}
    with subprocess.Popen(["sleep", "60"], env=other) as bystander:
        try:
            with restarted(tmp_path / "cluster") as client:
                client.get("/version")
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_pod_that_had_no_node_yet_is_run_once_after_the_restart(tmp_path: Path) -> None:
    with killable(tmp_path / "cluster") as (client, process):
        body = job("a", f"echo once >> {tmp_path}/times", pod={"nodeSelector": {"late": "1"}})
        client.create(JOBS, body)
        eventually(lambda: [pod for pod in pods_of(client, "a") if "conditions" in pod["status"]])
        client.patch("/api/v1/nodes/devcluster", {"metadata": {"labels": {"late": "1"}}})
        process.kill()
    with restarted(tmp_path / "cluster") as client:
        assert "succeeded" in ended_job(client, "a")["status"]
    assert (tmp_path / "times").read_text() == "once\n"


def test_what_was_answered_is_there_after_any_kill(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    answered: dict[str, str] = {}
    moments = random.Random(7)
    for number in range(8):
        with killable(folder) as (client, process):
            for name, version in answered.items():
                assert client.get(f"{MAPS}/{name}")["metadata"]["resourceVersion"] == version
            timer = threading.Timer(moments.uniform(0.02, 0.2), process.kill)
            timer.start()
            with pytest.raises((OSError, HTTPException)):
                write_on(client, f"{number}", answered)
            timer.join()
    versions = [int(version) for version in answered.values()]
    assert versions == sorted(set(versions))
    assert len(versions) > 20
    with sqlite3.connect(folder / "state.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def write_on(client: Client, prefix: str, answered: dict[str, str]) -> None:
    """Write until there is no answer."""
    for number in range(10**6):
        made = client.create(MAPS, config_map(f"map-{prefix}-{number}", text="x" * 5000))
        answered[made["metadata"]["name"]] = made["metadata"]["resourceVersion"]
