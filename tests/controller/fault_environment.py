"""An environment for faults: the real controller, the real API and a dev cluster."""

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
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import RUN_ID
from sparktest.kube.transport import Timeouts
from sparktest.settings import Settings
from tests.devcluster.faults import AdjustableClock, Faults
from tests.e2e.program import until
from tests.live_api import TOKEN, live_api

# The namespace that the live API sends runs to.
NAMESPACE = "tests"
SCRIPT = "echo one; sleep 0.3; echo two"
LOG = b"one\ntwo\n"
# A dead connection is given up sooner than on a real cluster.
TIMEOUTS = Timeouts(connect=2.0, read=5.0, watch=1.0)


class FaultEnvironment:
    """The operations of a test, which no fault affects, and the results of the controller.

    Attributes:
        jobs: the number of Jobs that were created for each run id.
        uids: the uids of the TestRuns that were applied.
    """

    def __init__(self, cluster: DevCluster, client: ApiClient) -> None:
        self.cluster = cluster
        self.faults = Faults(cluster)
        self.client = client
        self.jobs: Counter[str] = Counter()
        self.uids: list[str] = []
        cluster.store.subscribe(self._count_job)

    def install(self) -> None:
        """Install the CRD."""
        text = (files("sparktest.crd") / "testrun.yaml").read_text(encoding="utf-8")
        self.cluster.resources.create(CRDS, "", yaml.safe_load(text), Options())

    @property
    def testruns(self) -> Kind:
        """The kind TestRun; needs the CRD."""
        return self.cluster.kinds.find("sparktest.dev", "v1alpha1", "testruns")

    def _count_job(self, event: WatchEvent) -> None:
        if event.object.kind == JOBS.key and event.type == "ADDED":
            self.jobs[event.object.labels.get(RUN_ID, "")] += 1

    def apply(self, name: str, script: str = SCRIPT, **spec: Any) -> None:
        """Create a TestRun."""
        body = {
            "metadata": {"name": name},
            "spec": {"image": "busybox:1.35", "commands": [script], **spec},
        }
        made = self.cluster.resources.create(self.testruns, NAMESPACE, body, Options())
        self.uids.append(made["metadata"]["uid"])

    def begin(self, script: str = SCRIPT) -> int:
        """Start four TestRuns and two API runs; return their number."""
        for number in range(4):
            self.apply(f"run-{number}", script)
        for number in range(2):
            body = {"name": f"api-{number}", "image": "busybox:1.35", "commands": [script]}
            self.client.create_run(body)
        return 6

    def entries(self, kind: Kind) -> list[StoredObject]:
        """Return the objects of a kind."""
        return self.cluster.store.objects(kind.key, NAMESPACE)

    def delete(self, kind: Kind, entry: StoredObject) -> None:
        """Delete an object, in the background."""
        delete(self.cluster.resources, kind, entry, DeleteOptions(propagation_policy="Background"))

    def runs(self) -> list[Run]:
        """Return all runs of the API."""
        return list(self.client.list_runs(limit=1000).runs)

    def testruns_are_finished(self) -> bool:
        """Return True if all TestRuns have a final status."""
        return all(map(_is_finished, self.entries(self.testruns))) if self.uids else True

    @contextmanager
    def restarted(self) -> Iterator[None]:
        """Run the dev cluster, which was stopped, again."""
        folder = self.cluster.kubeconfig.parent
        with DevCluster.start(folder, clock=AdjustableClock()) as cluster:
            self.cluster, self.faults = cluster, Faults(cluster)
            cluster.store.subscribe(self._count_job)
            yield

    def ended(
        self, count: int, meanwhile: Callable[[], None] = lambda: None, *, seconds: float = 90
    ) -> list[Run]:
        """Wait until this many runs and their TestRuns have ended; return the runs.

        Assert that each had one Job and each TestRun was registered once.
        """

        def check() -> list[Run]:
            meanwhile()
            runs = self.runs()
            done = len(runs) >= count and all(run.status.final for run in runs)
            return runs if done and self.testruns_are_finished() else []

        runs = until(f"{count} runs are final", check, seconds=seconds, every=0.05)
        assert len(runs) == count
        assert dict(self.jobs) == {run.id: 1 for run in runs}
        registered = [run.k8s_ref.uid for run in runs if run.k8s_ref]
        assert sorted(registered, key=str) == sorted(self.uids)
        return runs


def _is_finished(testrun: StoredObject) -> bool:
    conditions = testrun.decode().get("status", {}).get("conditions", ())
    return any(entry["type"] == "Finished" and entry["status"] == "True" for entry in conditions)


@contextmanager
def fault_environment(
    folder: Path,
    *,
    crd: bool = True,
    middleware: Callable[[Any], Any] = lambda application: application,
) -> Iterator[FaultEnvironment]:
    """Run a dev cluster, an API behind WSGI middleware, and a controller.

    Install the CRD if `crd`.
    """
    with (
        DevCluster.start(folder / "cluster", clock=AdjustableClock()) as cluster,
        live_api(folder, middleware) as url,
    ):
        space = {"metadata": {"name": NAMESPACE}}
        cluster.resources.create(NAMESPACES, "", space, Options())
        settings = Settings(
            backend_url=url, token=TOKEN, kubeconfig=str(cluster.kubeconfig), namespace="tests"
        )
        connection = Cluster.connect(settings, timeouts=TIMEOUTS)
        client = ApiClient(url, TOKEN, cluster=connection.uid())
        with client:
            made = FaultEnvironment(cluster, client)
            if crd:
                made.install()
            with controlling(Controller(settings, connection, client)):
                yield made
        connection.close()


@contextmanager
def controlling(controller: Controller) -> Iterator[None]:
    """Run the controller in a thread."""
    stopping = threading.Event()
    thread = threading.Thread(target=controller.run, args=(stopping,))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(30)
        assert not thread.is_alive()
