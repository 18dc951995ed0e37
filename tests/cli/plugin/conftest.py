"""The plugin in this process, on a dev cluster without a controller: the test is the controller."""

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparktest import settings
from sparktest.cli import waiting
from sparktest.cli.plugin import main
from sparktest.domain import Origin, Run, Status
from sparktest.kube.cluster import JOBS, NAMESPACES, PODS, TESTRUNS, Cluster
from sparktest.kube.jobs import RUN_ID, build_job
from tests.cli.conftest import Result
from tests.e2e.program import until

ENDED = ("Succeeded", "Failed")


class World:
    """A cluster with TestRuns, a namespace of the test's own, and what a controller does."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._threads: list[threading.Thread] = []

    def apply(self, name: str, **spec: Any) -> dict[str, Any]:
        manifest = {
            "apiVersion": "sparktest.dev/v1alpha1",
            "kind": "TestRun",
            "metadata": {"name": name},
            "spec": spec or {"image": "busybox"},
        }
        return self.cluster.create(TESTRUNS, self.namespace, manifest)

    def testrun(self, name: str) -> dict[str, Any]:
        return self.cluster.get(TESTRUNS, self.namespace, name)

    def names(self) -> list[str]:
        listed = self.cluster.list(TESTRUNS, self.namespace).items
        return [str(each["metadata"]["name"]) for each in listed]

    def says(self, name: str, **status: Any) -> None:
        change = {"status": status}
        self.cluster.patch(TESTRUNS, self.namespace, name, change, subresource="status")

    def starts(self, name: str, *commands: str) -> str:
        """The run's id, after the TestRun's Job was started and its pod runs or has ended."""
        run_id = str(uuid.uuid4())
        run = Run(
            id=run_id,
            name=name,
            status=Status.PENDING,
            origin=Origin.CRD,
            image="busybox",
            created_at=datetime.now(UTC),
            commands=commands,
            namespace=self.namespace,
            job_name=f"testrun-{name}",
        )
        self.cluster.create(JOBS, self.namespace, build_job(run))
        until("the pod has started", lambda: self._phase(run_id) in ("Running", *ENDED))
        self.says(name, phase="Running", runId=run_id, jobName=run.job_name)
        return run_id

    def soon(self, *acts: Callable[[], object]) -> None:
        """What happens beside the command that comes next, one thing after the other."""
        self._threads.append(threading.Thread(target=lambda: [act() for act in acts]))
        self._threads[-1].start()

    def pod_ended(self, run_id: str) -> None:
        until("the pod has ended", lambda: self._phase(run_id) in ENDED)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _phase(self, run_id: str) -> str:
        selector = f"{RUN_ID}={run_id}"
        pods = self.cluster.list(PODS, self.namespace, label_selector=selector).items
        return str(pods[0]["status"]["phase"]) if pods else ""


@pytest.fixture
def world(kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A namespace of the dev cluster that is the current one of the test's kubeconfig."""
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.02)
    namespace = f"plugin-{uuid.uuid4().hex[:8]}"
    document = yaml.safe_load(kubeconfig.read_text())
    document["contexts"][0]["context"]["namespace"] = namespace
    own = tmp_path / "kubeconfig"
    own.write_text(yaml.safe_dump(document))
    own.chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(own))
    cluster = Cluster.connect(settings.Settings(kubeconfig=str(own)))
    cluster.create(NAMESPACES, None, {"metadata": {"name": namespace}})
    made = World(cluster, namespace)
    yield made
    made.join()
    cluster.delete(NAMESPACES, None, namespace)
    cluster.close()


@pytest.fixture
def plugin(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """`plugin("list", "-o", "json")`: how it ended and what it said."""

    def call(*args: str) -> Result:
        capsys.readouterr()
        code = main(args)
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return call
