"""The plugin in this process, on a dev cluster without a controller."""

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
from sparktest.cli.plugin import completion, main
from sparktest.domain import Origin, Run, Status
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import RUN_ID, build_job
from sparktest.kube.resources import JOBS, NAMESPACES, PODS, TESTRUNS
from tests.cli.conftest import Result
from tests.e2e.program import until

ENDED = ("Succeeded", "Failed")


class Sandbox:
    """A namespace of a dev cluster; its methods do what a controller would do."""

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

    def set_status(self, name: str, **status: Any) -> None:
        change = {"status": status}
        self.cluster.patch(TESTRUNS, self.namespace, name, change, subresource="status")

    def start_pod(self, name: str, *commands: str, **fields: Any) -> str:
        """Create the Job of a TestRun, wait until its pod has started, and return the run's id."""
        run_id = self.create_job(name, *commands, **fields)
        until("the pod has started", lambda: self._phase(run_id) in ("Running", *ENDED))
        self.set_status(name, phase="Running")
        return run_id

    def create_job(self, name: str, *commands: str, **fields: Any) -> str:
        """Create the Job of a TestRun, and return the run's id; `fields` are those of the run."""
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
            **fields,
        )
        self.cluster.create(JOBS, self.namespace, build_job(run))
        self.set_status(name, phase="Pending", runId=run_id, jobName=run.job_name)
        return run_id

    def in_background(self, *functions: Callable[[], object]) -> None:
        """Run functions one after the other in a thread."""
        self._threads.append(threading.Thread(target=lambda: [call() for call in functions]))
        self._threads[-1].start()

    def wait_for_pod(self, run_id: str) -> None:
        until("the pod has ended", lambda: self._phase(run_id) in ENDED)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _phase(self, run_id: str) -> str:
        selector = f"{RUN_ID}={run_id}"
        pods = self.cluster.list(PODS, self.namespace, label_selector=selector).items
        return str(pods[0]["status"]["phase"]) if pods else ""


@pytest.fixture
def sandbox(kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Create a namespace, and make it the current one of the test's kubeconfig."""
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
    sandbox = Sandbox(cluster, namespace)
    yield sandbox
    sandbox.join()
    cluster.delete(NAMESPACES, None, namespace)
    cluster.close()


@pytest.fixture
def plugin(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Return a function that runs the plugin: `plugin("list", "-o", "json")`."""

    def call(*args: str) -> Result:
        capsys.readouterr()
        code = main(args)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def complete(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[list[str], str]]:
    """Return a function that returns the completions and the directive: `complete("logs", "")`."""

    def call(*words: str) -> tuple[list[str], str]:
        assert completion.main(words) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        *lines, directive = captured.out.splitlines()
        return lines, directive

    return call
