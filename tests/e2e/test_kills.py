"""`sparktest up` while its programs are killed: each run ends once, and no process is left."""

import os
import random
import signal
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from sparktest import settings
from sparktest.client import ApiClient
from sparktest.domain import FailureClass, Run, Status
from sparktest.errors import ConflictError, SparkTestError, UnavailableError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import JOBS, TESTRUNS
from tests.cli.up.process_table import alive, children_of, processes
from tests.e2e.program import Program, until
from tests.e2e.stack import IMAGE, condition

pytestmark = pytest.mark.e2e
RUNS = 50
KILLS = ["devcluster", "api", "controller"] * 3


def child(up: Program, name: str) -> int | None:
    """Return the pid of a child of `up`; None while it is not running."""
    for process in processes():
        if process.parent == up.pid and f"sparktest {name}" in process.args:
            return process.pid
    return None


def apply(cluster: Cluster, name: str, command: str) -> bool:
    """Create a TestRun; return True if it exists, also when only the reply was lost."""
    spec = {"image": IMAGE, "commands": [command]}
    manifest = {"apiVersion": "sparktest.dev/v1alpha1", "kind": "TestRun"}
    try:
        cluster.create(TESTRUNS, "default", manifest | {"metadata": {"name": name}, "spec": spec})
    except ConflictError:
        return True
    except UnavailableError:
        return False
    return True


def all_final(client: ApiClient) -> list[Run]:
    """Return all runs once all of them are final, else an empty list."""
    try:
        runs = client.list_runs(limit=1000).runs
    except SparkTestError:
        return []
    return list(runs) if len(runs) == RUNS and all(run.status.final for run in runs) else []


def test_killing_programs_at_random_loses_and_repeats_no_run_and_leaves_no_process(
    environ: dict[str, str], tmp_path: Path
) -> None:
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    kills = rng.sample(KILLS, len(KILLS))
    # A duration that no other process sleeps for.
    nap = f"sleep 1.{os.getpid()}"
    names = [f"run-{number}" for number in range(RUNS)]
    up = Program(["up"], environ, tmp_path / "up.log")
    up.start()
    try:
        until("it is ready", lambda: "ready: API at" in up.tail())
        found = settings.load(environ)
        path = tmp_path / ".local/share/sparktest/devcluster/kubeconfig"
        cluster = Cluster.connect(settings.Settings(kubeconfig=str(path)))
        each = RUNS // (len(KILLS) + 1)
        for step, victim in enumerate([*kills, None]):
            for name in names[step * each : (step + 1) * each]:
                command = f"echo ran >> {tmp_path}/{name}; {nap}"
                until("it is applied", partial(apply, cluster, name, command))
            if victim:
                Event().wait(rng.uniform(0.1, 1.5))
                os.kill(until(f"the {victim} runs", partial(child, up, victim)), signal.SIGKILL)

        with ApiClient.from_settings(found) as client:
            runs = until(f"all are final (seed {seed})", lambda: all_final(client), 120, every=0.5)
        testruns = cluster.list(TESTRUNS, "default").items
        jobs = cluster.list(JOBS, "default").items
        cluster.close()
        pids = children_of(up.pid)
        code = up.stop()
    finally:
        up.stop(kill=True)

    details = f"seed {seed}\n{up.tail(100)}"
    lost = [run for run in runs if run.status is not Status.SUCCEEDED]
    reasons = {(run.failure.class_, run.failure.reason) for run in lost if run.failure}
    assert reasons <= {(FailureClass.INFRA, "NodeLost")}, details
    assert len(lost) < RUNS, details
    assert {condition(testrun, "Finished") for testrun in testruns} == {"True"}, details
    assert len(testruns) == len(jobs) == RUNS, details
    times = {name: (tmp_path / name).read_text() for name in names if (tmp_path / name).exists()}
    # A shell that is killed between opening the file and writing to it leaves it empty.
    assert set(times.values()) <= {"ran\n", ""}, details
    assert {times.get(run.name) for run in runs if run not in lost} == {"ran\n"}, details
    assert code == 0, details
    assert len(pids) == 3, details
    assert not any(map(alive, pids)), details
    assert [process for process in processes() if nap in process.args] == [], details
