"""Before `sparktest up`: check the cluster, and install the CRD."""

import time
from contextlib import closing, suppress

import click
import yaml

from sparktest import kubectl
from sparktest.cli.crd import manifest
from sparktest.cli.exits import Exit, ExitError
from sparktest.errors import ConflictError, SparkTestError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import NAMESPACES, TESTRUNS, Resource
from sparktest.kube.transport import Timeouts
from sparktest.settings import Settings

CRDS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
)
ESTABLISHED_SECONDS = 20.0
REACHABLE_TIMEOUTS = Timeouts(connect=2.0, read=5.0)


def is_reachable(settings: Settings) -> bool:
    """Return True when the cluster of the settings answers and accepts our credentials."""
    try:
        # Fails without a kubeconfig too: the dev cluster writes it when it starts.
        with closing(Cluster.connect(settings, workers=1, timeouts=REACHABLE_TIMEOUTS)) as cluster:
            cluster.uid()
    except SparkTestError:
        return False
    return True


def check_cluster(settings: Settings, *, install_crd: bool) -> str:
    """Print whether the cluster answers, install the CRD if asked to, and return the uid.

    Raises:
        SparkTestError: the cluster does not answer, or denies access.
        ExitError: the CRD was installed but is not served.
    """
    with closing(Cluster.connect(settings, workers=1)) as cluster:
        uid = cluster.uid()
        click.echo(f"cluster at {cluster.host} answers")
        if cluster.has_resource(TESTRUNS):
            return uid
        if not install_crd:
            click.echo(f"it has no TestRuns yet; install them with: {install_command(settings)}")
            click.echo("or start with: sparktest up --install-crd (API runs work without it)")
            return uid
        _install_missing(cluster)
        click.echo("the custom resource TestRun is installed")
        return uid


def prepare_devcluster(settings: Settings) -> str:
    """Install the CRD and the namespaces of the settings in the dev cluster; return its uid.

    Raises:
        SparkTestError: it does not answer.
        ExitError: the CRD was installed but is not served.
    """
    with closing(Cluster.connect(settings, workers=1)) as cluster:
        install(cluster)
        for name in {settings.namespace, *settings.namespaces}:
            with suppress(ConflictError):
                cluster.create(NAMESPACES, None, {"metadata": {"name": name}})
        return cluster.uid()


def install(cluster: Cluster) -> None:
    """Install or update the CRD, and wait until it is served.

    Raises:
        SparkTestError: the cluster does not answer, or denies access.
        ExitError: it is not served.
    """
    document = yaml.safe_load(manifest("testrun.yaml"))
    try:
        cluster.create(CRDS, None, document)
    except ConflictError:
        cluster.patch(CRDS, None, document["metadata"]["name"], {"spec": document["spec"]})
    _wait_until_served(cluster)


def install_command(settings: Settings) -> str:
    """Return the shell command that installs the CRD in the cluster of the settings."""
    target = kubectl.Target(settings.kubeconfig, settings.context)
    return kubectl.apply("sparktest crd", target=target)


def _install_missing(cluster: Cluster) -> None:
    # Conflict: it is being installed by somebody else, or is installed and not served yet.
    with suppress(ConflictError):
        cluster.create(CRDS, None, yaml.safe_load(manifest("testrun.yaml")))
    _wait_until_served(cluster)


def _wait_until_served(cluster: Cluster) -> None:
    deadline = time.monotonic() + ESTABLISHED_SECONDS
    while not cluster.has_resource(TESTRUNS):
        if time.monotonic() > deadline:
            raise ExitError(
                f"the cluster at {cluster.host} does not serve TestRuns {ESTABLISHED_SECONDS:g} s "
                "after the CRD was installed; the conditions of "
                "customresourcedefinition/testruns.sparktest.dev say why",
                Exit.INFRA,
            )
        time.sleep(0.2)
