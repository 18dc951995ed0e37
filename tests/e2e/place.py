"""Where the tests run: a dev cluster of their own, or the cluster of KUBECONFIG."""

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
from sparktest.kube.cluster import TESTRUNS, Cluster
from sparktest.settings import Settings
from tests.e2e.program import Program, until
from tests.need import need_cluster, need_program

PLACES = ("devcluster", "cluster")


class Place(NamedTuple):
    """A cluster that knows TestRuns; `real` where containers run on it, `door` over HTTP.

    What users do with kubectl is done with it where it is installed, else by HTTP.
    """

    kubeconfig: str
    door: Cluster
    real: bool

    @property
    def absent_image(self) -> str:
        """An image that cannot be pulled."""
        return "localhost:1/not/there:1" if self.real else "simulate/pull-error"

    @property
    def hungry(self) -> dict[str, Any]:
        """The spec of a test that is killed for its memory."""
        # A process of a dev cluster has no limit, so it would take all there is.
        if not self.real:
            return {"image": "simulate/oom"}
        return {"commands": ["tail /dev/zero"], "resources": {"limits": {"memory": "16Mi"}}}

    def apply(self, namespace: str, manifest: dict[str, Any]) -> None:
        """`kubectl apply` of a TestRun."""
        if shutil.which("kubectl"):
            text = yaml.safe_dump(manifest)
            self.kubectl(namespace, "apply", "-f", "-", stdin=text)
        else:
            self.door.create(TESTRUNS, namespace, manifest)

    def cancel(self, namespace: str, name: str) -> None:
        """`kubectl patch`: the one change that a TestRun allows."""
        if shutil.which("kubectl"):
            patch = ["--type=merge", "-p", '{"spec": {"cancelled": true}}']
            self.kubectl(namespace, "patch", f"testruns.sparktest.dev/{name}", *patch)
        else:
            self.door.patch(TESTRUNS, namespace, name, {"spec": {"cancelled": True}})

    def delete(self, namespace: str, name: str, *, wait: bool = True) -> None:
        """`kubectl delete` of a TestRun, until it is gone."""
        if shutil.which("kubectl"):
            options = ["--timeout=60s"] if wait else ["--wait=false"]
            self.kubectl(namespace, "delete", f"testruns.sparktest.dev/{name}", *options)
            return
        self.door.delete(TESTRUNS, namespace, name)
        if wait:
            until("the TestRun is gone", lambda: self.gone(namespace, name))

    def gone(self, namespace: str, name: str) -> bool:
        """Whether no TestRun has that name."""
        with suppress(NotFoundError):
            self.door.get(TESTRUNS, namespace, name)
            return False
        return True

    def kubectl(self, namespace: str, *args: str, stdin: str | None = None) -> str:
        """What kubectl prints in the namespace; fails the test with its message."""
        answer = subprocess.run(
            [need_program("kubectl"), "-n", namespace, *args],
            env=os.environ | {"KUBECONFIG": self.kubeconfig},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, f"kubectl {' '.join(args)}: {answer.stderr}"
        return answer.stdout


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Place]:
    """The place of that name, with the CRD of this tree.

    A dev cluster runs in the folder for as long as the `with`; where there is no cluster, the test
    is skipped.
    """
    if name == "cluster":
        with _place(need_cluster(), real=True) as place:
            yield place
        return
    args = ["devcluster", "--folder", str(folder / "devcluster")]
    program = Program(args, dict(os.environ), folder / "devcluster.log")
    program.start()
    try:
        until("the dev cluster answers", lambda: "dev cluster at" in program.tail(), every=0.02)
        with _place(str(folder / "devcluster" / "kubeconfig"), real=False) as place:
            yield place
    finally:
        program.stop()


@contextmanager
def _place(kubeconfig: str, *, real: bool) -> Iterator[Place]:
    door = Cluster.connect(Settings(kubeconfig=kubeconfig))
    try:
        install(door)
        yield Place(kubeconfig, door, real)
    finally:
        door.close()
