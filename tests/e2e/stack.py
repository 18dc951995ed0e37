"""SparkTest on a cluster: API and controller as processes, and doors to all of it."""

import os
import uuid
from pathlib import Path
from typing import Any

from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import NotFoundError, SparkTestError
from sparktest.kube.cluster import JOBS, NAMESPACES, TESTRUNS, Resource
from tests.e2e.place import Place
from tests.e2e.program import Program, free_port, until

TOKEN = "spt_e2e_for-the-tests-only"
IMAGE = "busybox:1.35"
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")


class Stack:
    """An API and a controller that watch one new namespace, and clients of both."""

    def __init__(self, place: Place, folder: Path, **extra: str) -> None:
        self.place = place
        self.namespace = f"sparktest-e2e-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.port = free_port()
        self.environ = {
            key: value for key, value in os.environ.items() if not key.startswith("SPARKTEST_")
        } | {
            "KUBECONFIG": place.kubeconfig,
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "SPARKTEST_BACKEND_URL": f"http://127.0.0.1:{self.port}",
            "SPARKTEST_DATABASE_URL": f"sqlite:///{folder / 'sparktest.db'}",
            "SPARKTEST_PORT": str(self.port),
            "SPARKTEST_TOKEN": TOKEN,
            "SPARKTEST_NAMESPACE": self.namespace,
            "SPARKTEST_NAMESPACES": self.namespace,
            "SPARKTEST_IMAGE_PULL_TIMEOUT_SECONDS": "5",
            **extra,
        }
        self.api = Program(["api"], self.environ, folder / "api.log")
        self.controller = Program(["controller"], self.environ, folder / "controller.log")
        self.client = ApiClient(f"http://127.0.0.1:{self.port}/api", TOKEN)
        self.cluster = place.door

    # --- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the namespace, start both programs, wait until they answer."""
        self.cluster.create(NAMESPACES, None, {"metadata": {"name": self.namespace}})
        until("the namespace has its service account", self._has_account)
        self.start_api()
        self.controller.start()

    def _has_account(self) -> bool:
        try:
            self.cluster.get(ACCOUNTS, self.namespace, "default")
        except NotFoundError:
            return False
        return True

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
        # The API waits a while for a connection that is kept.
        self.client.close()
        self.api.stop()

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
        return self.place.gone(self.namespace, name)

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

    def kubectl(self, *args: str) -> str:
        """What kubectl prints in the namespace; fails the test with its message."""
        return self.place.kubectl(self.namespace, *args)


def condition(testrun: dict[str, Any], kind: str) -> str | None:
    """The status of a condition: "True", "False", or None where it is not there."""
    for entry in testrun.get("status", {}).get("conditions", []):
        if entry["type"] == kind:
            return str(entry["status"])
    return None
