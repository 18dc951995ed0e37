"""Whether the cluster is there, knows TestRuns and lets us work: a finding a question."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sparktest.cli.crd import manifest
from sparktest.cli.exits import of_error, text_of
from sparktest.cli.findings import (
    OK,
    PROBLEM,
    UNCHECKED,
    Finding,
    rights_of,
    same_crd,
    told_rights,
)
from sparktest.errors import ForbiddenError, InvalidError, SparkTestError

if TYPE_CHECKING:
    from sparktest.kube.cluster import Cluster
    from sparktest.settings import Settings

CRD_NAME = "testruns.sparktest.dev"
ROLE = "sparktest-controller"
VERBS = ("create", "get", "list", "watch", "patch", "delete")
INSTALL = "sparktest crd | kubectl apply -f -"
GRANT = "sparktest crd --rbac shows what to grant"


def connected(settings: "Settings") -> "Cluster | Finding":
    """The cluster of the settings, once it has answered; else what is wrong."""
    from sparktest.kube.cluster import TESTRUNS, Cluster, Timeouts
    from sparktest.kube.config import NoConfigurationError

    try:
        cluster = Cluster.connect(settings, workers=1, timeouts=Timeouts(read=10.0))
    except NoConfigurationError as error:
        # The API may well have a cluster that this machine does not know.
        return Finding("cluster", UNCHECKED, text_of(error))
    except InvalidError as error:
        return Finding("cluster", PROBLEM, text_of(error), "name another, or correct this one")
    try:
        # Discovery: whoever has an account may ask for it.
        cluster.served(TESTRUNS)
    except SparkTestError as error:
        cluster.close()
        todo = "check the kubeconfig with: kubectl get namespaces"
        return Finding("cluster", PROBLEM, text_of(error), todo, of_error(error))
    return cluster


def uid_of(cluster: "Cluster") -> str | None:
    """What tells the cluster from others; None for whom may not know."""
    try:
        return cluster.uid()
    except SparkTestError:
        return None


def cluster_findings(cluster: "Cluster", namespace: str) -> Iterator[Finding]:
    """What the cluster says of itself, of the CRD and of what we may do there."""
    yield Finding("cluster", OK, f"{cluster.host} answers")
    yield _guarded("CRD", lambda: _crd(cluster))
    yield _guarded("rights", lambda: _rights(cluster, namespace))


def _guarded(check: str, find: Callable[[], Finding]) -> Finding:
    try:
        return find()
    except SparkTestError as error:
        return Finding(check, UNCHECKED, text_of(error))


def _crd(cluster: "Cluster") -> Finding:
    import yaml

    from sparktest import __version__
    from sparktest.cli.preflight import CRDS
    from sparktest.kube.cluster import TESTRUNS

    if not cluster.served(TESTRUNS):
        return Finding("CRD", PROBLEM, "the cluster has no TestRuns", INSTALL)
    text = f"{CRD_NAME} {TESTRUNS.version} is served"
    try:
        theirs = cluster.get(CRDS, None, CRD_NAME)
    except ForbiddenError:
        return Finding("CRD", OK, f"{text}; it may not be read, so not compared")
    if same_crd(yaml.safe_load(manifest("testrun.yaml")), theirs):
        return Finding("CRD", OK, f"{text}, as of SparkTest {__version__}")
    return Finding("CRD", PROBLEM, f"{text}, but not as of SparkTest {__version__}", INSTALL)


def _rights(cluster: "Cluster", namespace: str) -> Finding:
    """Rights of a person on TestRuns there, and whether a controller could work with them too."""
    import yaml

    from sparktest.kube.cluster import TESTRUNS

    mine = [(verb, TESTRUNS.plural, TESTRUNS.group) for verb in VERBS]
    missing = _refused(cluster, namespace, mine)
    if missing:
        text = f"in namespace {namespace} we may not {told_rights(missing)}"
        return Finding("rights", PROBLEM, text, GRANT)
    roles = yaml.safe_load_all(manifest("rbac.yaml"))
    rest = _refused(cluster, None, rights_of(roles, ROLE))
    text = f"TestRuns of namespace {namespace}"
    if rest:
        lacking = ", ".join(dict.fromkeys(resource for _, resource, _ in rest))
        return Finding("rights", OK, f"{text}; too few to run a controller, which needs {lacking}")
    return Finding("rights", OK, f"{text}, and all that a controller needs")


def _refused(
    cluster: "Cluster", namespace: str | None, rights: Iterable[tuple[str, str, str]]
) -> list[tuple[str, str, str]]:
    return [right for right in rights if not _allowed(cluster, namespace, *right)]


def _allowed(cluster: "Cluster", namespace: str | None, verb: str, what: str, group: str) -> bool:
    from sparktest.kube.cluster import SELF_SUBJECT_ACCESS_REVIEWS

    resource, _, subresource = what.partition("/")
    wish: dict[str, Any] = {"verb": verb, "group": group, "resource": resource}
    if subresource:
        wish["subresource"] = subresource
    if namespace:
        wish["namespace"] = namespace
    if resource == "namespaces":
        # The one namespace that a controller reads.
        wish["name"] = "kube-system"
    review = {
        "apiVersion": SELF_SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": SELF_SUBJECT_ACCESS_REVIEWS.kind,
        "spec": {"resourceAttributes": wish},
    }
    answer = cluster.create(SELF_SUBJECT_ACCESS_REVIEWS, None, review)
    return (answer.get("status") or {}).get("allowed") is True
