"""KubeContext: a cluster and a namespace, chosen as kubectl chooses them."""

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sparktest import kubectl
from sparktest.cli.exits import Exit, ExitError, infra_errors
from sparktest.cli.plugin.testrun import TestRun, parse_testrun, plain_name
from sparktest.errors import NotFoundError
from sparktest.kube.fields import Object
from sparktest.kube.jobs import RUN_ID
from sparktest.kube.pod_view import main_pod, parse_pod
from sparktest.kube.resources import PODS, TESTRUNS
from sparktest.sanitize import clean
from sparktest.settings import Settings

if TYPE_CHECKING:
    from sparktest.kube.cluster import Cluster


class KubeContext(NamedTuple):
    """A cluster and a namespace in it; everything that its methods return is safe to show.

    Every request raises ExitError when the cluster does not have the TestRun CRD.

    Attributes:
        cluster: the client of the cluster.
        namespace: the namespace of all requests.
        target: the options that chose the cluster, for commands to paste.
        is_namespace_given: an option chose the namespace.
    """

    cluster: "Cluster"
    namespace: str
    target: kubectl.Target = kubectl.CURRENT
    is_namespace_given: bool = False

    def testrun(self, reference: str) -> TestRun:
        """Return the TestRun of this name, which may have its kind before it."""
        name = plain_name(reference)
        found = self._request(lambda: self.cluster.get(TESTRUNS, self.namespace, name))
        return parse_testrun(found)

    def refresh(self, known: TestRun) -> TestRun:
        """Return the TestRun as it is now.

        Raises:
            ExitError: it was deleted, even if another one was created with its name.
        """
        try:
            found = self.testrun(known.name)
        except NotFoundError:
            found = None
        if found is None or found.uid != known.uid:
            raise ExitError(f"{known.name} was deleted before it ended", Exit.INFRA)
        return found

    def testruns(
        self, *, all_namespaces: bool = False, max_items: int | None = None
    ) -> list[TestRun]:
        """Return the TestRuns of the namespace or of all namespaces, newest first.

        `max_items`: about how many to request; default: all.
        """
        namespace = None if all_namespaces else self.namespace
        found = self._request(
            lambda: self.cluster.list(TESTRUNS, namespace, max_items=max_items).items
        )
        return sorted(map(parse_testrun, found), key=lambda each: each.created_at, reverse=True)

    def create(self, manifest: Object, *, dry_run: bool = False) -> TestRun:
        """Create a TestRun and return it; with `dry_run`, the cluster only checks it."""
        created = self._request(
            lambda: self.cluster.create(TESTRUNS, self.namespace, manifest, dry_run=dry_run)
        )
        return parse_testrun(created)

    def pod(self, testrun: TestRun) -> Object | None:
        """Return the pod of a TestRun whose status counts; None if it has none."""
        selector = f"{RUN_ID}={testrun.id}"
        pods = clean(self.cluster.list(PODS, testrun.namespace, label_selector=selector).items)
        views = [parse_pod(each) for each in pods]
        pod = main_pod(views)
        return pods[views.index(pod)] if pod else None

    def cancel(self, name: str) -> None:
        """Ask for a TestRun to be stopped."""
        change = {"spec": {"cancelled": True}}
        self._request(lambda: self.cluster.patch(TESTRUNS, self.namespace, name, change))

    def arguments(self, testrun: TestRun) -> str:
        """Return the arguments that name a TestRun of this cluster in a command to paste."""
        return shlex.join([testrun.name, "-n", testrun.namespace, *self.target.options])

    def _request(self, request: Callable[[], Any]) -> Any:
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


def connect(
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
    timeout_seconds: float | None = None,
) -> KubeContext:
    """Return the cluster and namespace that the options name, by default those of kubectl.

    The settings of SparkTest are ignored: users expect the cluster that kubectl uses.
    `timeout_seconds`: of each request.

    Raises:
        ExitError: the kubeconfig does not name a cluster.
    """
    # Importing the Kubernetes client takes 0.3 s, which usage errors and --help need not wait for.
    from sparktest.kube import config
    from sparktest.kube.cluster import Cluster
    from sparktest.kube.transport import Timeouts

    settings = Settings(kubeconfig=kubeconfig, context=context)
    timeouts = None
    if timeout_seconds is not None:
        timeouts = Timeouts(connect=timeout_seconds, read=timeout_seconds)
    with infra_errors():
        cluster = Cluster.connect(settings, workers=1, timeouts=timeouts)
        return KubeContext(
            cluster,
            namespace or config.namespace(settings),
            kubectl.Target(kubeconfig, context),
            is_namespace_given=namespace is not None,
        )


def context_names(kubeconfig: str | None) -> list[str]:
    """Return the names of the contexts of a kubeconfig, by default that of kubectl.

    Raises:
        InvalidError: the kubeconfig cannot be used.
    """
    from sparktest.kube import config  # As in `connect`.

    return config.contexts(Settings(kubeconfig=kubeconfig))
