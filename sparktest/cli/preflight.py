"""Before `sparktest up`: does the cluster answer, and does it know TestRuns."""

import contextlib
import shlex
import time
from collections.abc import Callable

import yaml

from sparktest.cli.crd import manifest
from sparktest.cli.exits import Exit, ExitError
from sparktest.errors import ConflictError
from sparktest.kube.cluster import NAMESPACES, TESTRUNS, Cluster, Resource
from sparktest.settings import Settings

CRDS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
)
ESTABLISHED_SECONDS = 20.0


def check_cluster(settings: Settings, *, install_crd: bool, tell: Callable[[str], None]) -> None:
    """Tell about the cluster, and install the CRD there where it is missing and wanted.

    Raises:
        SparkTestError: the cluster does not answer, or refuses us.
        ExitError: the CRD was installed and is still not served.
    """
    cluster = Cluster.connect(settings, workers=1)
    try:
        cluster.uid()
        tell(f"cluster at {cluster.host} answers")
        if cluster.served(TESTRUNS):
            return
        if not install_crd:
            tell(f"it has no TestRuns yet; install them with: {install_command(settings)}")
            tell("or start with: sparktest up --install-crd (runs of the API work without)")
            return
        _install_missing(cluster)
        tell("the custom resource TestRun is installed")
    finally:
        cluster.close()


def prepare_devcluster(settings: Settings) -> None:
    """Have this version's CRD in the dev cluster, and the namespaces that the settings name.

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
    options = []
    if settings.kubeconfig:
        options += ["--kubeconfig", settings.kubeconfig]
    if settings.context:
        options += ["--context", settings.context]
    return f"sparktest crd | {shlex.join(['kubectl', *options, 'apply', '-f', '-'])}"


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
                f"the cluster does not serve TestRuns {ESTABLISHED_SECONDS:g} s after the CRD was "
                "installed; see: kubectl describe crd testruns.sparktest.dev",
                Exit.INFRA,
            )
        time.sleep(0.2)
