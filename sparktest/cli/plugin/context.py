"""KubeContext: a cluster and a namespace, chosen as kubectl chooses them."""

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sparktest import kubectl
from sparktest.cli.exits import Exit, ExitError, infra_errors
from sparktest.cli.plugin.testrun import Object, TestRun
from sparktest.errors import NotFoundError
from sparktest.kube.resources import TESTRUNS
from sparktest.sanitize import clean
from sparktest.settings import Settings

if TYPE_CHECKING:
    from sparktest.kube.cluster import Cluster


class KubeContext(NamedTuple):
    """A cluster and a namespace in it; every object that it returns is safe to show.

    `target`: the options that chose the cluster, for commands to paste.
    """

    cluster: "Cluster"
    namespace: str
    target: kubectl.Target = kubectl.CURRENT

    def testrun(self, name: str) -> TestRun:
        """Return the TestRun of this name.

        Raises:
            ExitError: the cluster has no TestRuns at all.
        """
        return TestRun(self.call(lambda: self.cluster.get(TESTRUNS, self.namespace, name)))

    def testruns(
        self, *, all_namespaces: bool = False, max_items: int | None = None
    ) -> list[TestRun]:
        """Return the TestRuns of the namespace or of all, newest first; about `max_items`."""
        namespace = None if all_namespaces else self.namespace
        found = self.call(lambda: self.cluster.list(TESTRUNS, namespace, max_items=max_items).items)
        return sorted(map(TestRun, found), key=lambda each: each.created, reverse=True)

    def create(self, manifest: Object) -> TestRun:
        """Create a TestRun and return it."""
        created = self.call(lambda: self.cluster.create(TESTRUNS, self.namespace, manifest))
        return TestRun(created)

    def patch(self, name: str, change: Object) -> None:
        """Apply a merge patch to a TestRun."""
        self.call(lambda: self.cluster.patch(TESTRUNS, self.namespace, name, change))

    def call(self, request: Callable[[], Any]) -> Any:
        """Send a request and return its answer, safe to show.

        Raises:
            ExitError: the cluster does not know the kind TestRun, and how to install it.
        """
        try:
            return clean(request())
        except NotFoundError as error:
            if self.cluster.has_resource(TESTRUNS):
                raise
            install = kubectl.apply("sparktest crd", target=self.target)
            raise ExitError(
                f"the cluster at {self.cluster.host} has no TestRuns yet; install them with: "
                f"{install}",
                Exit.INFRA,
            ) from error

    def arguments(self, testrun: TestRun) -> str:
        """Return the arguments that name a TestRun of this cluster in a command to paste."""
        return shlex.join([testrun.name, "-n", testrun.namespace, *self.target.options])


def connect(
    kubeconfig: str | None, context: str | None, namespace: str | None, seconds: float | None = None
) -> KubeContext:
    """Return the cluster and namespace that the options name, else those that kubectl would use.

    The settings of SparkTest are ignored: users expect the cluster that kubectl shows them.
    `seconds`: the timeout of each request.

    Raises:
        ExitError: there is no such cluster.
    """
    # The Kubernetes client takes 0.3 s to import: usage errors and --help do without it.
    from sparktest.kube import config
    from sparktest.kube.cluster import Cluster, Timeouts

    settings = Settings(kubeconfig=kubeconfig, context=context)
    timeouts = Timeouts(connect=seconds, read=seconds) if seconds else None
    with infra_errors():
        cluster = Cluster.connect(settings, workers=1, timeouts=timeouts)
        return KubeContext(
            cluster, namespace or config.namespace(settings), kubectl.Target(kubeconfig, context)
        )


def context_names(kubeconfig: str | None) -> list[str]:
    """Return the names of the contexts of a kubeconfig, by default of kubectl's.

    Raises:
        InvalidError: the kubeconfig cannot be used.
    """
    from sparktest.kube import config  # As in `connect`.

    return config.contexts(Settings(kubeconfig=kubeconfig))
