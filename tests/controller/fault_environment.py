"""A drill: the real controller between the real API and a dev cluster, in which things go wrong."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from sparktest.client import ApiClient
from sparktest.controller.app import Controller
from sparktest.devcluster.app import DevCluster
from sparktest.devcluster.deletion import DeleteOptions, delete
from sparktest.devcluster.kinds import CRDS, JOBS, NAMESPACES, Kind
from sparktest.devcluster.resources import Options
from sparktest.devcluster.stored_objects import StoredObject, WatchEvent
from sparktest.domain import Run
from sparktest.kube.cluster import Cluster, Timeouts
from sparktest.kube.jobs import RUN_ID
from sparktest.settings import Settings
from tests.devcluster.faults import AdjustableClock, Faults
from tests.e2e.program import until
from tests.live import TOKEN, live_api

# The namespace that the live API sends runs to.
NAMESPACE = "tests"
SCRIPT = "echo one; sleep 0.3; echo two"
LOG = b"one\ntwo\n"
# A dead connection is given up sooner than on a real cluster.
TIMEOUTS = Timeouts(connect=2.0, read=5.0, watch=1.0)


class FaultEnvironment:
    """What a test does by its own hand, past the faults; and what came of it.

    Attributes:
        jobs: how many Jobs were ever made for each run id.
        uids: those of the TestRuns that were applied.
    """

    def __init__(self, cluster: DevCluster, client: ApiClient) -> None:
        self.cluster = cluster
        self.faults = Faults(cluster)
        self.client = client
        self.jobs: Counter[str] = Counter()
        self.uids: list[str] = []
        cluster.store.subscribe(self._note)

    def install(self) -> None:
        """Install the CRD."""
        text = (files("sparktest.crd") / "testrun.yaml").read_text(encoding="utf-8")
        self.cluster.resources.create(CRDS, "", yaml.safe_load(text), Options())

    @property
    def testruns(self) -> Kind:
        """The kind TestRun, which is there once it is installed."""
        return self.cluster.kinds.find("sparktest.dev", "v1alpha1", "testruns")

    def _note(self, event: WatchEvent) -> None:
        if event.entry.kind == JOBS.key and event.type == "ADDED":
            self.jobs[event.entry.labels.get(RUN_ID, "")] += 1

    def apply(self, name: str, script: str = SCRIPT, **spec: Any) -> None:
        """Create a TestRun."""
        body = {
            "metadata": {"name": name},
            "spec": {"image": "busybox:1.35", "commands": [script], **spec},
        }
        made = self.cluster.resources.create(self.testruns, NAMESPACE, body, Options())
        self.uids.append(made["metadata"]["uid"])

    def begin(self, script: str = SCRIPT) -> int:
        """The number of runs begun: of TestRuns, and of the API."""
        for number in range(4):
            self.apply(f"run-{number}", script)
        for number in range(2):
            body = {"name": f"api-{number}", "image": "busybox:1.35", "commands": [script]}
            self.client.create_run(body)
        return 6

    def entries(self, kind: Kind) -> list[StoredObject]:
        """What there is of a kind."""
        return self.cluster.store.entries(kind.key, NAMESPACE)

    def delete(self, kind: Kind, entry: StoredObject) -> None:
        """Delete an object, in the background."""
        delete(self.cluster.resources, kind, entry, DeleteOptions(propagation_policy="Background"))

    def runs(self) -> list[Run]:
        """All runs that the API has."""
        return list(self.client.list_runs(limit=1000).runs)

    def ended(self, count: int, meanwhile: Callable[[], None] = lambda: None) -> list[Run]:
        """All runs, once so many are there and final and their TestRuns say so.

        Each has had one Job, and each TestRun was registered once.
        """

        def check() -> list[Run]:
            meanwhile()
            runs = self.runs()
            done = len(runs) >= count and all(run.status.final for run in runs)
            said = self.entries(self.testruns) if self.uids else []
            return runs if done and all(map(_told, said)) else []

        runs = until(f"{count} runs are final", check, seconds=30, every=0.05)
        assert len(runs) == count
        assert dict(self.jobs) == {run.id: 1 for run in runs}
        registered = [run.k8s_ref.uid for run in runs if run.k8s_ref]
        assert sorted(registered, key=str) == sorted(self.uids)
        return runs


def _told(testrun: StoredObject) -> bool:
    conditions = testrun.decode().get("status", {}).get("conditions", ())
    return any(entry["type"] == "Finished" and entry["status"] == "True" for entry in conditions)


@contextmanager
def fault_environment(folder: Path, *, crd: bool = True) -> Iterator[FaultEnvironment]:
    """A dev cluster, an API and a controller that works, until the end of the `with`.

    `crd`: whether the CRD is installed.
    """
    with (
        DevCluster.start(folder / "cluster", clock=AdjustableClock()) as cluster,
        live_api(folder) as url,
    ):
        space = {"metadata": {"name": NAMESPACE}}
        cluster.resources.create(NAMESPACES, "", space, Options())
        settings = Settings(
            backend_url=url, token=TOKEN, kubeconfig=str(cluster.kubeconfig), namespace="tests"
        )
        door = Cluster.connect(settings, timeouts=TIMEOUTS)
        client = ApiClient(url, TOKEN, cluster=door.uid())
        with client:
            made = FaultEnvironment(cluster, client)
            if crd:
                made.install()
            with controlling(Controller(settings, door, client)):
                yield made
        door.close()


@contextmanager
def controlling(controller: Controller) -> Iterator[None]:
    """The controller works in a thread."""
    stopping = threading.Event()
    thread = threading.Thread(target=controller.run, args=(stopping,))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(30)
        assert not thread.is_alive()
