"""SparkTest on a cluster: API and controller as processes, and clients of both."""

import os
import uuid
from pathlib import Path
from typing import Any

from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import NotFoundError, SparkTestError
from sparktest.kube.resources import JOBS, NAMESPACES, TESTRUNS
from tests.e2e import accounts
from tests.e2e.images import GIT_IMAGE
from tests.e2e.program import Program, free_port, until
from tests.e2e.target import Target

TOKEN = "spt_e2e_for-the-tests-only"
IMAGE = "busybox:1.35"


class Stack:
    """An API and a controller for one new namespace.

    The controller has a token with the scope controller, unless it is given another one. On a real
    cluster both run as ServiceAccounts with the rights of the RBAC manifests for this namespace.
    """

    def __init__(
        self, target: Target, folder: Path, *, controller_token: str = "", **extra: str
    ) -> None:
        self.target = target
        self.namespace = f"sparktest-e2e-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.port = free_port()
        self.environ = {
            key: value for key, value in os.environ.items() if not key.startswith("SPARKTEST_")
        } | {
            "KUBECONFIG": target.kubeconfig,
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "SPARKTEST_BACKEND_URL": f"http://127.0.0.1:{self.port}",
            "SPARKTEST_DATABASE_URL": f"sqlite:///{folder / 'sparktest.db'}",
            "SPARKTEST_PORT": str(self.port),
            "SPARKTEST_TOKEN": TOKEN,
            "SPARKTEST_NAMESPACE": self.namespace,
            "SPARKTEST_NAMESPACES": self.namespace,
            "SPARKTEST_IMAGE_PULL_TIMEOUT_SECONDS": "5",
            "SPARKTEST_GIT_IMAGE": GIT_IMAGE,
            **extra,
        }
        self.api = Program(["api"], self.environ, folder / "api.log")
        self.controller = Program(["controller"], self.environ, folder / "controller.log")
        self.controller_token = controller_token
        self.client = ApiClient(f"http://127.0.0.1:{self.port}/api", TOKEN)
        self.cluster = target.cluster

    # --- start and stop --------------------------------------------------------------------------

    def start(self) -> None:
        """Create the namespace, start both programs, and wait until they answer."""
        self.cluster.create(NAMESPACES, None, {"metadata": {"name": self.namespace}})
        until("the namespace has its service account", self._has_account)
        if self.target.real:
            accounts.install(self.cluster, self.namespace)
        self.api.environ = self.environ | self._account("sparktest-api")
        self.start_api()
        if not self.controller_token:
            made = self.client.tokens.create({"name": "controller", "scopes": ["controller"]})
            self.controller_token = str(made.token)
        token = {"SPARKTEST_TOKEN": self.controller_token}
        self.controller.environ = self.environ | token | self._account("sparktest-controller")
        self.controller.start()

    def _account(self, name: str) -> dict[str, str]:
        """Return the variables with which a program runs as a ServiceAccount."""
        if not self.target.real:
            return {}
        admin = self.target.kubeconfig
        path = accounts.kubeconfig(self.cluster, admin, self.namespace, name, self.folder)
        # The uid of kube-system, which a Role in another namespace does not allow to read.
        return {"KUBECONFIG": path, "SPARKTEST_CLUSTER": self.cluster.uid()}

    def _has_account(self) -> bool:
        try:
            self.cluster.get(accounts.ACCOUNTS, self.namespace, "default")
        except NotFoundError:
            return False
        return True

    def start_api(self) -> None:
        """Start the API and wait until it is healthy."""
        self.api.start()
        until("the API is healthy", self.healthy)

    def healthy(self) -> bool:
        """Return True when the API answers."""
        assert self.api.running, self.api.tail()
        try:
            return bool(self.client.health())
        except SparkTestError:
            return False

    def stop(self) -> None:
        """Delete the namespace with its TestRuns, and stop both programs.

        Fails if one of them asked for what its Role does not allow.
        """
        # The Roles are deleted with the namespace.
        logs = [
            each.log.read_text(errors="replace")
            for each in (self.api, self.controller)
            if each.log.exists()
        ]
        for testrun in self.cluster.list(TESTRUNS, self.namespace).items:
            name = testrun["metadata"]["name"]
            self.cluster.patch(TESTRUNS, self.namespace, name, {"metadata": {"finalizers": None}})
        self.cluster.delete(NAMESPACES, None, self.namespace)
        self.controller.stop()
        # The API waits for open connections when it stops.
        self.client.close()
        self.api.stop()
        assert [denial for log in logs for denial in accounts.denials(log)] == []

    # --- TestRuns --------------------------------------------------------------------------------

    def apply(self, name: str, **spec: Any) -> dict[str, Any]:
        """Create a TestRun and return it; the default image is busybox."""
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
        """Return the current version of a TestRun."""
        return self.cluster.get(TESTRUNS, self.namespace, name)

    def is_deleted(self, name: str) -> bool:
        """Return True when there is no TestRun of this name."""
        return self.target.is_deleted(self.namespace, name)

    def wait_until_finished(self, name: str, seconds: float = 90.0) -> dict[str, Any]:
        """Wait for the condition Finished and return the TestRun."""

        def done() -> dict[str, Any] | None:
            self.check_alive()
            testrun = self.testrun(name)
            return testrun if condition(testrun, "Finished") == "True" else None

        return until(f"TestRun {name} is finished", done, seconds)

    def check_alive(self) -> None:
        """Fail if a program has exited, with the end of its output."""
        for program in (self.api, self.controller):
            assert program.running, f"sparktest {program.args[0]} ended:\n{program.tail()}"

    # --- runs and Jobs ---------------------------------------------------------------------------

    def run_of(self, name: str, uid: str | None = None) -> Run:
        """Return the run of the TestRun of this name."""
        found = [
            run
            for run in self.client.list_runs(origin=["crd"], limit=1000).runs
            if run.k8s_ref and run.k8s_ref.name == name and uid in (None, run.k8s_ref.uid)
        ]
        assert len(found) == 1, f"{len(found)} runs of TestRun {name}"
        return found[0]

    def wait_until_final(self, run_id: str, seconds: float = 90.0) -> Run:
        """Wait until the run is final and return it."""

        def done() -> Run | None:
            run = self.client.get_run(run_id)
            return run if run.status.final else None

        return until(f"run {run_id} is final", done, seconds)

    def log_of(self, run: Run) -> str:
        """Return the stored log."""
        return self.client.get_log(run.id).decode()

    def jobs_of(self, run: Run) -> list[dict[str, Any]]:
        """Return all Jobs that are labelled with the run's id."""
        return self.cluster.list(
            JOBS, self.namespace, label_selector=f"sparktest.dev/run-id={run.id}"
        ).items

    def kubectl(self, *args: str) -> str:
        """Run kubectl in the namespace and return its output; a failure fails the test."""
        return self.target.kubectl(self.namespace, *args)


def condition(testrun: dict[str, Any], kind: str) -> str | None:
    """Return the status of a condition: "True", "False", or None if it does not exist."""
    for entry in testrun.get("status", {}).get("conditions", []):
        if entry["type"] == kind:
            return str(entry["status"])
    return None
