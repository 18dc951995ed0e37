"""Before `sparktest up`: does the cluster answer, and does it know TestRuns."""

import contextlib
import time
from collections.abc import Callable

import yaml

from sparktest import kubectl
from sparktest.cli.crd import manifest
from sparktest.cli.exits import Exit, ExitError
from sparktest.errors import ConflictError
from sparktest.kube.cluster import NAMESPACES, TESTRUNS, Cluster, Resource
from sparktest.settings import Settings

CRDS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
)
ESTABLISHED_SECONDS = 20.0


def check_cluster(settings: Settings, *, install_crd: bool, tell: Callable[[str], None]) -> str:
    """Tell about the cluster, install the CRD where it is missing and wanted; return its uid.

    Raises:
        SparkTestError: the cluster does not answer, or refuses us.
        ExitError: the CRD was installed and is still not served.
    """
    cluster = Cluster.connect(settings, workers=1)
    try:
        uid = cluster.uid()
        tell(f"cluster at {cluster.host} answers")
        if cluster.served(TESTRUNS):
            return uid
        if not install_crd:
            tell(f"it has no TestRuns yet; install them with: {install_command(settings)}")
            tell("or start with: sparktest up --install-crd (runs of the API work without)")
            return uid
        _install_missing(cluster)
        tell("the custom resource TestRun is installed")
        return uid
    finally:
        cluster.close()


def prepare_devcluster(settings: Settings) -> str:
    """Install this version's CRD and create the namespaces that the settings name; return the uid.

    Raises:
        SparkTestError: it does not answer.
        ExitError: the CRD was installed and is still not served.
    """
    cluster = Cluster.connect(settings, workers=1)
    try:
        install(cluster)
        for name in {settings.namespace, *settings.namespaces}:
            with contextlib.suppress(ConflictError):
                cluster.create(NAMESPACES, None, {"metadata": {"name": name}})
        return cluster.uid()
    finally:
        cluster.close()


def install(cluster: Cluster) -> None:
    """Have this version's CRD in the cluster, whatever is there, and wait until it is served.

    Raises:
        SparkTestError: the cluster does not answer, or refuses us.
        ExitError: it is still not served.
    """
    document = yaml.safe_load(manifest("testrun.yaml"))
    try:
        cluster.create(CRDS, None, document)
    except ConflictError:
        cluster.patch(CRDS, None, document["metadata"]["name"], {"spec": document["spec"]})
    _await_served(cluster)


def install_command(settings: Settings) -> str:
    """The command that installs the CRD in the cluster of the settings, to paste."""
    target = kubectl.Target(settings.kubeconfig, settings.context)
    return kubectl.apply("sparktest crd", target=target)


def _install_missing(cluster: Cluster) -> None:
    # Conflict: somebody else installs it now, or it is there and not served yet.
    with contextlib.suppress(ConflictError):
        cluster.create(CRDS, None, yaml.safe_load(manifest("testrun.yaml")))
    _await_served(cluster)


def _await_served(cluster: Cluster) -> None:
    deadline = time.monotonic() + ESTABLISHED_SECONDS
    while not cluster.served(TESTRUNS):
        if time.monotonic() > deadline:
            raise ExitError(
                f"the cluster at {cluster.host} does not serve TestRuns {ESTABLISHED_SECONDS:g} s "
                "after the CRD was installed; the conditions of "
                "customresourcedefinition/testruns.sparktest.dev say why",
                Exit.INFRA,
            )
        time.sleep(0.2)
