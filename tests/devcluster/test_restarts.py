"""After a kill, processes end, pods are lost, and acknowledged writes survive."""

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
from sparktest.devcluster.processes import POD_VARIABLE
from sparktest.domain import DEVCLUSTER_UID_PREFIX, FailureClass
from sparktest.kube.outcome import compute_report
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.views import parse_job
from tests.devcluster.client import (
    JOBS,
    MAPS,
    PODS,
    STRATEGIC,
    Client,
    config_map,
    ended_job,
    eventually,
    job,
    pod_in,
    pods_of,
    processes_named,
)
from tests.kube.objects import a_run, at

PROGRAM = (
    "import sys; from pathlib import Path; from sparktest.devcluster.app import run; "
    "run(Path(sys.argv[1]), ready=lambda _: print('ready', flush=True))"
)


class RemoteCluster(NamedTuple):
    """A dev cluster in another process."""

    kubeconfig: Path


@contextmanager
def subprocess_cluster(folder: Path) -> Iterator[tuple[Client, "subprocess.Popen[bytes]"]]:
    """Run a dev cluster in a process that the test can kill."""
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        client = Client(RemoteCluster(folder / "kubeconfig"))
        try:
            yield client, process
        finally:
            client.close()
            process.kill()


@contextmanager
def restarted_cluster(folder: Path) -> Iterator[Client]:
    with DevCluster.start(folder) as cluster:
        client = Client(cluster)
        try:
            yield client
        finally:
            client.close()


def shims_of(process: "subprocess.Popen[bytes]") -> list[int]:
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(pid) for path in children for pid in path.read_text().split()]


def running_job(client: Client, script: str) -> Any:
    client.create(JOBS, job("a", script))
    return pod_in(client, "a", "running")


def fork_script(mark: str) -> str:
    """Return a script with children in its process group, in other sessions, without the mark."""
    sleep = f"exec -a {mark} sleep 300"
    return (
        f"echo up; bash -c '{sleep}' & setsid bash -c '{sleep}' & env -i bash -c '{sleep}' & "
        f"(setsid env -i bash -c '{sleep} & {sleep}' &) & wait; sleep 300"
    )


def test_after_a_kill_no_process_survives_and_the_pod_is_lost(tmp_path: Path) -> None:
    mark = f"killed-{os.getpid()}-x"
    with subprocess_cluster(tmp_path / "cluster") as (client, process):
        once = f"echo once >> {tmp_path}/times; "
        running_job(client, once + fork_script(mark))
        eventually(lambda: len(processes_named(mark)) >= 5)
        process.kill()
        eventually(lambda: processes_named(mark) == [])
    with restarted_cluster(tmp_path / "cluster") as client:
        done = ended_job(client, "a")
        (pod,) = pods_of(client, "a")
        assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "NodeLost")
        path = f"{PODS}/{pod['metadata']['name']}/log"
        assert client.call("GET", path).body == b"up\n"
        assert done["status"]["failed"] == 1
    assert (tmp_path / "times").read_text() == "once\n"
    failure = compute_report(a_run(), parse_job(done), [parse_pod(pod)], at(30)).failure
    assert failure is not None
    assert (failure.class_, failure.reason) == (FailureClass.INFRA, "NodeLost")


def test_a_restart_kills_processes_whose_shim_was_killed_too(tmp_path: Path) -> None:
    mark = f"orphan-{os.getpid()}-x"
    sleep = f"exec -a {mark} sleep 300"
    with subprocess_cluster(tmp_path / "cluster") as (client, process):
        running_job(client, f"setsid bash -c '{sleep}' & bash -c '{sleep}' & wait")
        eventually(lambda: len(processes_named(mark)) >= 2)
        shims = shims_of(process)
        os.kill(process.pid, signal.SIGSTOP)  # so that it does not write that its shims ended
        for pid in [*shims, process.pid]:
            os.kill(pid, signal.SIGKILL)
    assert processes_named(mark) != []
    with restarted_cluster(tmp_path / "cluster") as client:
        eventually(lambda: processes_named(mark) == [])
        ended_job(client, "a")
        assert pods_of(client, "a")[0]["status"]["reason"] == "NodeLost"


def test_the_uid_has_the_prefix_of_dev_clusters_and_survives_a_restart(tmp_path: Path) -> None:
    with DevCluster.start(tmp_path / "cluster") as cluster:
        before = cluster.uid
    with DevCluster.start(tmp_path / "cluster") as cluster:
        assert cluster.uid == before
    assert str(uuid.UUID(before)) == before
    assert before.startswith(DEVCLUSTER_UID_PREFIX)


def test_a_restart_kills_only_its_own_processes(tmp_path: Path) -> None:
    other = {POD_VARIABLE: "another-cluster/pod", "PATH": os.environ["PATH"]}
    with subprocess.Popen(["sleep", "60"], env=other) as bystander:
        try:
            with restarted_cluster(tmp_path / "cluster") as client:
                client.get("/version")
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_pod_without_a_node_runs_once_after_the_restart(tmp_path: Path) -> None:
    with subprocess_cluster(tmp_path / "cluster") as (client, process):
        body = job("a", f"echo once >> {tmp_path}/times", image="simulate/unschedulable")
        client.create(JOBS, body)
        eventually(lambda: [pod for pod in pods_of(client, "a") if "conditions" in pod["status"]])
        process.kill()
    with restarted_cluster(tmp_path / "cluster") as client:
        (pod,) = pods_of(client, "a")
        containers = [{"name": "test", "image": "busybox:1.35"}]
        path = f"{PODS}/{pod['metadata']['name']}"
        client.patch(path, {"spec": {"containers": containers}}, STRATEGIC)
        assert "succeeded" in ended_job(client, "a")["status"]
    assert (tmp_path / "times").read_text() == "once\n"


def test_acknowledged_writes_survive_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    acknowledged: dict[str, str] = {}
    delays = random.Random(7)
    for number in range(8):
        with subprocess_cluster(folder) as (client, process):
            for name, version in acknowledged.items():
                assert client.get(f"{MAPS}/{name}")["metadata"]["resourceVersion"] == version
            timer = threading.Timer(delays.uniform(0.02, 0.2), process.kill)
            timer.start()
            with pytest.raises((OSError, HTTPException)):
                write_until_killed(client, f"{number}", acknowledged)
            timer.join()
    versions = [int(version) for version in acknowledged.values()]
    assert versions == sorted(set(versions))
    assert len(versions) > 20
    with sqlite3.connect(folder / "state.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def write_until_killed(client: Client, prefix: str, acknowledged: dict[str, str]) -> None:
    """Create objects until the connection breaks; add the acknowledged ones."""
    for number in range(10**6):
        made = client.create(MAPS, config_map(f"map-{prefix}-{number}", text="x" * 5000))
        acknowledged[made["metadata"]["name"]] = made["metadata"]["resourceVersion"]
