"""Checks of the cluster, its CRD and our rights."""

from collections.abc import Callable, Iterator

import yaml

from sparktest import __version__, kubectl
from sparktest.cli.crd import manifest
from sparktest.cli.doctor.checks import OK, PROBLEM, UNCHECKED, Check, same_crd
from sparktest.cli.doctor.rights import controller_rights_check, rights_check
from sparktest.cli.exits import error_code, error_text
from sparktest.cli.up.preflight import CRDS, install_command
from sparktest.errors import ForbiddenError, InvalidError, SparkTestError
from sparktest.kube.cluster import Cluster
from sparktest.kube.config import NoConfigurationError
from sparktest.kube.resources import TESTRUNS
from sparktest.kube.transport import Timeouts
from sparktest.settings import Settings

CRD_NAME = "testruns.sparktest.dev"


def connect(settings: Settings) -> Cluster | Check:
    """Return the cluster of the settings once it has answered, or the check that failed."""
    try:
        cluster = Cluster.connect(settings, workers=1, timeouts=Timeouts(read=10.0))
    except NoConfigurationError as error:
        # The API may still have a cluster that this machine does not know.
        return Check("cluster", UNCHECKED, error_text(error))
    except InvalidError as error:
        return Check("cluster", PROBLEM, error_text(error), "name another, or correct this one")
    try:
        # Discovery: every account may ask for it.
        cluster.has_resource(TESTRUNS)
    except SparkTestError as error:
        cluster.close()
        target = kubectl.Target(settings.kubeconfig, settings.context)
        todo = f"check the kubeconfig with: {target.command('get', 'namespaces')}"
        return Check("cluster", PROBLEM, error_text(error), todo, error_code(error))
    return cluster


def cluster_uid(cluster: Cluster) -> str | None:
    """Return the uid of the cluster; None when we are not allowed to read it."""
    try:
        return cluster.uid()
    except SparkTestError:
        return None


def cluster_checks(cluster: Cluster, settings: Settings, namespace: str) -> Iterator[Check]:
    """Check the cluster, its CRD and our rights; `namespace`: the one that kubectl would use."""
    install = install_command(settings)
    yield Check("cluster", OK, f"{cluster.host} answers")
    yield _run_check("CRD", lambda: _crd(cluster, install))
    yield _run_check("rights", lambda: rights_check(cluster, settings, namespace))
    yield _run_check("controller rights", lambda: controller_rights_check(cluster, settings))


def _run_check(check: str, find: Callable[[], Check]) -> Check:
    try:
        return find()
    except SparkTestError as error:
        return Check(check, UNCHECKED, error_text(error))


def _crd(cluster: Cluster, install: str) -> Check:
    if not cluster.has_resource(TESTRUNS):
        return Check("CRD", PROBLEM, "the cluster has no TestRuns", install)
    text = f"{CRD_NAME} {TESTRUNS.version} is served"
    try:
        theirs = cluster.get(CRDS, None, CRD_NAME)
    except ForbiddenError:
        return Check("CRD", OK, f"{text}; not compared, because you are not allowed to read it")
    if same_crd(yaml.safe_load(manifest("testrun.yaml")), theirs):
        return Check("CRD", OK, f"{text}, the version of SparkTest {__version__}")
    return Check("CRD", PROBLEM, f"{text}, but not the version of SparkTest {__version__}", install)
