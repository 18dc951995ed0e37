"""SparkTest on a cluster: API and controller as processes, and doors to all of it."""

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

from sparktest import settings
from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import NotFoundError, SparkTestError
from sparktest.kube.cluster import JOBS, NAMESPACES, TESTRUNS, Cluster
from tests.e2e.program import Program, free_port, until

TOKEN = "spt_e2e_for-the-tests-only"
IMAGE = "busybox:1.35"


class Stack:
    """An API and a controller that watch one new namespace, and clients of both."""

    def __init__(self, kubeconfig: str, folder: Path, **extra: str) -> None:
        self.namespace = f"sparktest-e2e-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.port = free_port()
        self.environ = {
            key: value for key, value in os.environ.items() if not key.startswith("SPARKTEST_")
        } | {
            "KUBECONFIG": kubeconfig,
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "SPARKTEST_BACKEND_URL": f"http://127.0.0.1:{self.port}",
            "SPARKTEST_DATABASE_URL": f"sqlite:///{folder / 'sparktest.db'}",
            "SPARKTEST_PORT": str(self.port),
            "SPARKTEST_TOKEN": TOKEN,
            "SPARKTEST_NAMESPACE": self.namespace,
            "SPARKTEST_NAMESPACES": self.namespace,
            "SPARKTEST_IMAGE_PULL_PATIENCE_SECONDS": "5",
            **extra,
        }  # fmt: skip
        self.api = Program(["api"], self.environ, folder / "api.log")
        self.controller = Program(["controller"], self.environ, folder / "controller.log")
        self.client = ApiClient(f"http://127.0.0.1:{self.port}/api", TOKEN)
        self.cluster = Cluster.connect(settings.load(self.environ))

    # --- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the namespace, start both programs, wait until they answer."""
        self.cluster.create(NAMESPACES, None, {"metadata": {"name": self.namespace}})
        until(
            "the namespace has its service account",
            lambda: self.kubectl_ok("get", "serviceaccount", "default"),
        )
        self.start_api()
        self.controller.start()

    def start_api(self) -> None:
        """Start the API and wait until it is healthy."""
        self.api.start()
        until("the API is healthy", self.healthy)

    def healthy(self) -> bool:
        """Whether the API answers."""
        assert self.api.running, self.api.tail()
        try:
            return bool(self.client.health())
        except SparkTestError:
            return False

    def stop(self) -> None:
        """Release what holds the namespace, delete it and stop both programs."""
        for testrun in self.cluster.list(TESTRUNS, self.namespace).items:
            name = testrun["metadata"]["name"]
            self.cluster.patch(TESTRUNS, self.namespace, name, {"metadata": {"finalizers": None}})
        self.cluster.delete(NAMESPACES, None, self.namespace)
        self.controller.stop()
        self.api.stop()
        self.client.close()

    # --- TestRuns --------------------------------------------------------------------------------

    def apply(self, name: str, **spec: Any) -> dict[str, Any]:
        """The TestRun object, created; of the busybox image where the spec names no other."""
        if not {"definitionId", "definitionName"} & set(spec):
            spec = {"image": IMAGE} | spec
        manifest = {
            "apiVersion": "sparktest.dev/v1alpha1",
            "kind": "TestRun",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        }
        return self.cluster.create(TESTRUNS, self.namespace, manifest)

    def testrun(self, name: str) -> dict[str, Any]:
        """The TestRun object as it is now."""
        return self.cluster.get(TESTRUNS, self.namespace, name)

    def gone(self, name: str) -> bool:
        """Whether no TestRun has that name."""
        try:
            self.testrun(name)
        except NotFoundError:
            return True
        return False

    def finished(self, name: str, seconds: float = 90.0) -> dict[str, Any]:
        """The TestRun once its condition Finished is True."""

        def done() -> dict[str, Any] | None:
            self.check_alive()
            testrun = self.testrun(name)
            return testrun if condition(testrun, "Finished") == "True" else None

        return until(f"TestRun {name} is finished", done, seconds)

    def check_alive(self) -> None:
        """Fail with the program's last lines when one has ended by itself."""
        for program in (self.api, self.controller):
            assert program.running, f"sparktest {program.args[0]} ended:\n{program.tail()}"

    # --- runs and Jobs ---------------------------------------------------------------------------

    def run_of(self, name: str, uid: str | None = None) -> Run:
        """The run in the store that belongs to the TestRun of this name."""
        found = [
            run
            for run in self.client.list_runs(origin=["crd"], limit=1000).runs
            if run.k8s_ref and run.k8s_ref.name == name and uid in (None, run.k8s_ref.uid)
        ]
        assert len(found) == 1, f"{len(found)} runs of TestRun {name}"
        return found[0]

    def final(self, run_id: str, seconds: float = 90.0) -> Run:
        """The run once it is final."""

        def done() -> Run | None:
            run = self.client.get_run(run_id)
            return run if run.status.final else None

        return until(f"run {run_id} is final", done, seconds)

    def log_of(self, run: Run) -> str:
        """The stored log."""
        return self.client.get_log(run.id).decode()

    def jobs_of(self, run: Run) -> list[dict[str, Any]]:
        """All Jobs that carry the run's id."""
        return self.cluster.list(
            JOBS, self.namespace, label_selector=f"sparktest.dev/run-id={run.id}"
        ).items

    # --- kubectl ---------------------------------------------------------------------------------

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        """What kubectl prints in the namespace; fails the test with its message."""
        answer = self._kubectl(args, stdin)
        assert answer.returncode == 0, f"kubectl {' '.join(args)}: {answer.stderr}"
        return answer.stdout

    def kubectl_ok(self, *args: str) -> bool:
        """Whether kubectl ends 0."""
        return self._kubectl(args, None).returncode == 0

    def kubectl_json(self, *args: str) -> Any:
        """What kubectl prints with `-o json`."""
        return json.loads(self.kubectl(*args, "-o", "json"))

    def _kubectl(
        self, args: tuple[str, ...], stdin: str | None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["kubectl", "-n", self.namespace, *args],
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )


def condition(testrun: dict[str, Any], kind: str) -> str | None:
    """The status of a condition: "True", "False", or None where it is not there."""
    for entry in testrun.get("status", {}).get("conditions", []):
        if entry["type"] == kind:
            return str(entry["status"])
    return None
