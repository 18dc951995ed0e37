"""Where a command of the plugin works: a cluster and a namespace, chosen as kubectl does."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from sparktest.cli.exits import Exit, ExitError, infra_errors
from sparktest.cli.plugin import candidates
from sparktest.errors import NotFoundError

if TYPE_CHECKING:
    from sparktest.kube.cluster import Cluster

Object = dict[str, Any]
INSTALL = "sparktest crd | kubectl apply -f -"


class Place(NamedTuple):
    """A cluster and the namespace in it; every object read here is safe to show."""

    cluster: "Cluster"
    namespace: str

    def testrun(self, name: str) -> Object:
        """The TestRun of this name.

        Raises:
            ExitError: the cluster has no TestRuns at all.
        """
        from sparktest.kube.cluster import TESTRUNS

        return self.known(lambda: self.cluster.get(TESTRUNS, self.namespace, name))

    def testruns(self, *, everywhere: bool = False, most: int | None = None) -> list[Object]:
        """The TestRuns of the namespace, or of all, newest first; not many more than `most`."""
        from sparktest.kube.cluster import TESTRUNS

        namespace = None if everywhere else self.namespace
        found = self.known(
            lambda: {"items": self.cluster.list(TESTRUNS, namespace, most=most).items}
        )
        return sorted(found["items"], key=_created, reverse=True)

    def create(self, manifest: Object) -> Object:
        """The TestRun as created."""
        from sparktest.kube.cluster import TESTRUNS

        return self.known(lambda: self.cluster.create(TESTRUNS, self.namespace, manifest))

    def patch(self, name: str, change: Object) -> Object:
        """The TestRun after a merge patch."""
        from sparktest.kube.cluster import TESTRUNS

        return self.known(lambda: self.cluster.patch(TESTRUNS, self.namespace, name, change))

    def known(self, call: Callable[[], Object]) -> Object:
        """What the call answers, safe to show.

        Raises:
            ExitError: the cluster does not know the kind TestRun, and how to change that.
        """
        from sparktest.kube.cluster import TESTRUNS
        from sparktest.sanitize import clean

        try:
            found: Object = clean(call())
        except NotFoundError as error:
            if self.cluster.served(TESTRUNS):
                raise
            raise ExitError(
                f"the cluster at {self.cluster.host} has no TestRuns yet; install them with: "
                f"{INSTALL}",
                Exit.INFRA,
            ) from error
        return found


def uses_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with kubectl's options of place, called with the place that they name."""

    @click.option("--kubeconfig", metavar="FILE", type=click.Path())
    @click.option(
        "--context",
        metavar="NAME",
        help="Instead of the current one.",
        shell_complete=candidates.CONTEXT,
    )
    @click.option(
        "-n",
        "--namespace",
        metavar="NAME",
        help="Instead of the context's.",
        shell_complete=candidates.NAMESPACE,
    )
    @functools.wraps(command)
    def called(
        *args: Any, kubeconfig: str | None, context: str | None, namespace: str | None, **kw: Any
    ) -> Any:
        place = connected(kubeconfig, context, namespace)
        try:
            return command(place, *args, **kw)
        finally:
            place.cluster.close()

    return called


def connected(
    kubeconfig: str | None, context: str | None, namespace: str | None, seconds: float | None = None
) -> Place:
    """The place that the options name, else what kubectl would use; `seconds` for each answer.

    Settings of SparkTest do not count here: people expect the cluster that kubectl shows them.

    Raises:
        ExitError: there is no such place.
    """
    from sparktest.kube import config
    from sparktest.kube.cluster import Cluster, Timeouts
    from sparktest.settings import Settings

    settings = Settings(kubeconfig=kubeconfig, context=context)
    timeouts = Timeouts(connect=seconds, read=seconds) if seconds else None
    with infra_errors():
        cluster = Cluster.connect(settings, workers=1, timeouts=timeouts)
        return Place(cluster, namespace or config.namespace(settings))


def _created(testrun: Object) -> str:
    metadata = testrun.get("metadata")
    return str(metadata.get("creationTimestamp")) if isinstance(metadata, dict) else ""
