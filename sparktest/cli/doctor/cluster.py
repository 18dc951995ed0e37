"""Checks of the cluster, its CRD and our rights."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import yaml

from sparktest import __version__, kubectl
from sparktest.cli.crd import manifest
from sparktest.cli.doctor.checks import (
    OK,
    PROBLEM,
    UNCHECKED,
    Check,
    format_rights,
    role_rights,
    same_crd,
)
from sparktest.cli.exits import error_code, error_text
from sparktest.cli.up.preflight import CRDS
from sparktest.errors import ForbiddenError, InvalidError, SparkTestError
from sparktest.kube.cluster import Cluster
from sparktest.kube.config import NoConfigurationError
from sparktest.kube.resources import SELF_SUBJECT_ACCESS_REVIEWS, TESTRUNS
from sparktest.kube.transport import Timeouts
from sparktest.settings import Settings

CRD_NAME = "testruns.sparktest.dev"
ROLE = "sparktest-controller"
VERBS = ("create", "get", "list", "watch", "patch", "delete")
GRANT = "sparktest crd --rbac shows what to grant"


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


def cluster_checks(cluster: Cluster, namespace: str, *, install: str) -> Iterator[Check]:
    """Check the cluster, its CRD and our rights; `install`: the command that installs the CRD."""
    yield Check("cluster", OK, f"{cluster.host} answers")
    yield _run_check("CRD", lambda: _crd(cluster, install))
    yield _run_check("rights", lambda: _rights(cluster, namespace))


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


def _rights(cluster: Cluster, namespace: str) -> Check:
    """Check our rights on TestRuns, and whether they are enough to run a controller."""
    mine = [(verb, TESTRUNS.plural, TESTRUNS.group) for verb in VERBS]
    missing = _missing(cluster, namespace, mine)
    if missing:
        text = f"in namespace {namespace} you are not allowed to {format_rights(missing)}"
        return Check("rights", PROBLEM, text, GRANT)
    roles = yaml.safe_load_all(manifest("rbac.yaml"))
    rest = _missing(cluster, None, role_rights(roles, ROLE))
    text = f"TestRuns of namespace {namespace}"
    if rest:
        lacking = ", ".join(dict.fromkeys(resource for _, resource, _ in rest))
        return Check(
            "rights", OK, f"{text}; not enough to run a controller, which also needs {lacking}"
        )
    return Check("rights", OK, f"{text}, and everything that a controller needs")


def _missing(
    cluster: Cluster, namespace: str | None, rights: Iterable[tuple[str, str, str]]
) -> list[tuple[str, str, str]]:
    return [right for right in rights if not _allowed(cluster, namespace, *right)]


def _allowed(cluster: Cluster, namespace: str | None, verb: str, what: str, group: str) -> bool:
    resource, _, subresource = what.partition("/")
    attributes: dict[str, Any] = {"verb": verb, "group": group, "resource": resource}
    if subresource:
        attributes["subresource"] = subresource
    if namespace:
        attributes["namespace"] = namespace
    if resource == "namespaces":
        # The only namespace that a controller reads.
        attributes["name"] = "kube-system"
    review = {
        "apiVersion": SELF_SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": SELF_SUBJECT_ACCESS_REVIEWS.kind,
        "spec": {"resourceAttributes": attributes},
    }
    answer = cluster.create(SELF_SUBJECT_ACCESS_REVIEWS, None, review)
    return (answer.get("status") or {}).get("allowed") is True
