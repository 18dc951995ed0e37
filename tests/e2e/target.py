"""The cluster that the tests run on: a dev cluster, or the cluster of KUBECONFIG."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sparktest.cli.up.preflight import install
from sparktest.errors import NotFoundError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import TESTRUNS
from sparktest.settings import Settings
from tests.e2e.program import Program, until
from tests.requirements import require_cluster, require_program

TARGETS = ("devcluster", "cluster")


class Target(NamedTuple):
    """A cluster with the CRD. User actions use kubectl if it is installed, else the client.

    Attributes:
        kubeconfig: the path of its kubeconfig.
        cluster: a client.
        real: True if it runs containers, False for a dev cluster.
    """

    kubeconfig: str
    cluster: Cluster
    real: bool

    @property
    def missing_image(self) -> str:
        """An image that cannot be pulled."""
        return "localhost:1/not/there:1" if self.real else "simulate/pull-error"

    @property
    def oom_spec(self) -> dict[str, Any]:
        """The spec of a TestRun that is killed for its memory usage."""
        # On a dev cluster a process has no limit: it would use all memory of the machine.
        if not self.real:
            return {"image": "simulate/oom"}
        return {"commands": ["tail /dev/zero"], "resources": {"limits": {"memory": "16Mi"}}}

    @property
    def minor_version(self) -> int:
        """The minor version of Kubernetes."""
        version = self.cluster._transport.call("GET", "/version")
        # Empty in a build without a version: take it for the oldest.
        return int(version["minor"].rstrip("+") or 0)

    def apply(self, namespace: str, manifest: dict[str, Any]) -> None:
        """Apply a TestRun."""
        if shutil.which("kubectl"):
            text = yaml.safe_dump(manifest)
            self.kubectl(namespace, "apply", "-f", "-", stdin=text)
        else:
            self.cluster.create(TESTRUNS, namespace, manifest)

    def cancel(self, namespace: str, name: str) -> None:
        """Cancel a TestRun."""
        if shutil.which("kubectl"):
            patch = ["--type=merge", "-p", '{"spec": {"cancelled": true}}']
            self.kubectl(namespace, "patch", f"testruns.sparktest.dev/{name}", *patch)
        else:
            self.cluster.patch(TESTRUNS, namespace, name, {"spec": {"cancelled": True}})

    def delete(self, namespace: str, name: str, *, wait: bool = True) -> None:
        """Delete a TestRun; wait until it no longer exists unless `wait` is False."""
        if shutil.which("kubectl"):
            options = ["--timeout=60s"] if wait else ["--wait=false"]
            self.kubectl(namespace, "delete", f"testruns.sparktest.dev/{name}", *options)
            return
        self.cluster.delete(TESTRUNS, namespace, name)
        if wait:
            until("the TestRun is gone", lambda: self.is_deleted(namespace, name))

    def is_deleted(self, namespace: str, name: str) -> bool:
        """Return True when there is no TestRun of this name."""
        with suppress(NotFoundError):
            self.cluster.get(TESTRUNS, namespace, name)
            return False
        return True

    def kubectl(self, namespace: str, *args: str, stdin: str | None = None) -> str:
        """Run kubectl in the namespace and return its output; a failure fails the test."""
        answer = subprocess.run(
            [require_program("kubectl"), "-n", namespace, *args],
            env=os.environ | {"KUBECONFIG": self.kubeconfig},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, f"kubectl {' '.join(args)}: {answer.stderr}"
        return answer.stdout


@contextmanager
def open_target(name: str, folder: Path) -> Iterator[Target]:
    """Yield a target with the CRD of this source tree.

    `devcluster` starts a dev cluster on the folder and stops it at the end; `cluster` is the
    cluster of KUBECONFIG, without which the test is skipped.
    """
    if name == "cluster":
        with _connect(require_cluster(), real=True) as target:
            yield target
        return
    args = ["devcluster", "--folder", str(folder / "devcluster")]
    program = Program(args, dict(os.environ), folder / "devcluster.log")
    program.start()
    try:
        until("the dev cluster answers", lambda: "dev cluster at" in program.tail(), every=0.02)
        with _connect(str(folder / "devcluster" / "kubeconfig"), real=False) as target:
            yield target
    finally:
        program.stop()


@contextmanager
def _connect(kubeconfig: str, *, real: bool) -> Iterator[Target]:
    cluster = Cluster.connect(Settings(kubeconfig=kubeconfig))
    try:
        install(cluster)
        yield Target(kubeconfig, cluster, real)
    finally:
        cluster.close()
