"""Checks of our rights: what is missing, and how to grant it."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from sparktest import kubectl
from sparktest.cli import rbac
from sparktest.cli.doctor.checks import OK, PROBLEM, Check, Right, granted_rights
from sparktest.errors import SparkTestError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import SELF_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_REVIEWS, TESTRUNS
from sparktest.kubectl import Target
from sparktest.settings import Settings

USER_RIGHTS = tuple(
    Right(verb, TESTRUNS.plural, TESTRUNS.group)
    for verb in ("create", "get", "list", "watch", "patch", "delete")
)
# Nobody but a controller needs it.
STATUS_RIGHT = Right("patch", "testruns/status", TESTRUNS.group)
# A controller reads the uid of this namespace, unless SPARKTEST_CLUSTER replaces it.
UID_RIGHT = Right("get", "namespaces", name="kube-system")
CONTROLLER_ACCOUNT = re.compile(f"system:serviceaccount:([^:]+):{rbac.CONTROLLER}")

# The missing rights in each namespace; None: in all namespaces.
Missing = Mapping[str | None, Sequence[Right]]


def rights_check(cluster: Cluster, settings: Settings, namespace: str) -> Check:
    """Check our rights on the TestRuns of a namespace."""
    missing = _missing(cluster, namespace, USER_RIGHTS)
    if not missing:
        return Check("rights", OK, f"TestRuns of namespace {namespace}")
    account = _account(cluster)
    if _is_controller(cluster, settings, account):
        return Check("rights", OK, "those of a controller, which creates no TestRuns")
    text = f"you are not allowed to {_format_missing({namespace: missing})}"
    return Check("rights", PROBLEM, text, _grant_to_user(missing, namespace, account, settings))


def controller_rights_check(cluster: Cluster, settings: Settings) -> Check:
    """Check whether our rights are enough to run a controller with these settings."""
    check = "controller rights"
    namespaces = settings.namespaces or (None,)
    needed = _controller_rights(settings)
    missing = {name: found for name in namespaces if (found := _missing(cluster, name, needed))}
    texts = [_format_missing(missing)] if missing else []
    if not settings.cluster and not _allowed(cluster, None, UID_RIGHT):
        texts.append(str(UID_RIGHT))
    if not texts:
        return Check(check, OK, f"everything that a controller needs {_place(namespaces)}")
    text = f"to run a controller, you must also be allowed to {'; '.join(texts)}"
    account = _account(cluster)
    if not _is_controller(cluster, settings, account):
        return Check(check, OK, text)
    if settings.namespaces and not missing:
        return Check(check, PROBLEM, text, "set SPARKTEST_CLUSTER to a name for this cluster")
    return Check(check, PROBLEM, text, _grant_to_controller(settings, account))


def _format_missing(missing: Missing) -> str:
    """Return the missing rights for people, with their namespaces."""
    alike: dict[tuple[Right, ...], list[str | None]] = {}
    for namespace, rights in missing.items():
        alike.setdefault(tuple(rights), []).append(namespace)
    return "; ".join(
        f"{_format_rights(rights)} {_place(namespaces)}" for rights, namespaces in alike.items()
    )


def _grant_to_user(
    missing: Sequence[Right], namespace: str, account: str, settings: Settings
) -> str:
    """Return the commands with which an administrator grants rights on TestRuns."""
    verbs = [right.verb for right in missing]
    role = "-".join([TESTRUNS.plural, *verbs])
    resource = f"{TESTRUNS.plural}.{TESTRUNS.group}"
    create_role = ["role", role, f"--verb={','.join(verbs)}", f"--resource={resource}"]
    binding = f"{role}-{account or 'user'}".replace("/", "-")
    bind = ["rolebinding", binding, f"--role={role}", _subject(account)]
    target = Target(settings.kubeconfig, settings.context)
    # The Role may exist already.
    return "; ".join(
        target.command("create", *words, "-n", namespace) for words in (create_role, bind)
    )


def _grant_to_controller(settings: Settings, account: str) -> str:
    options = [word for namespace in settings.namespaces for word in ("-n", namespace)]
    known = CONTROLLER_ACCOUNT.fullmatch(account)
    home = known[1] if known else rbac.NAMESPACE
    if home != rbac.NAMESPACE:
        options += ["--controller-namespace", home]
    target = Target(settings.kubeconfig, settings.context)
    command = kubectl.apply(shlex.join(["sparktest", "crd", "--rbac", *options]), target=target)
    if not known:
        command += f" grants it to the ServiceAccount {rbac.CONTROLLER} of namespace {home}"
    return command if settings.namespaces else f"{command}; or set SPARKTEST_NAMESPACES"


def _subject(account: str) -> str:
    _, _, name = account.partition("system:serviceaccount:")
    return f"--serviceaccount={name}" if name else f"--user={account or 'USER'}"


def _controller_rights(settings: Settings) -> list[Right]:
    kind = "Role" if settings.namespaces else "ClusterRole"
    granted = granted_rights(rbac.manifests(settings.namespaces), kind, rbac.CONTROLLER)
    return [right for right in granted if right != UID_RIGHT]


def _is_controller(cluster: Cluster, settings: Settings, account: str) -> bool:
    """Return True if this is the account of a controller rather than that of a person."""
    if CONTROLLER_ACCOUNT.fullmatch(account):
        return True
    namespaces = settings.namespaces or (None,)
    writes = any(_allowed(cluster, namespace, STATUS_RIGHT) for namespace in namespaces)
    return writes and not any(_allowed(cluster, name, USER_RIGHTS[0]) for name in namespaces)


def _missing(cluster: Cluster, namespace: str | None, rights: Sequence[Right]) -> list[Right]:
    return [right for right in rights if not _allowed(cluster, namespace, right)]


def _allowed(cluster: Cluster, namespace: str | None, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    asked = {
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": namespace,
        "name": right.name,
    }
    attributes = {key: value for key, value in asked.items() if value}
    review = {
        "apiVersion": SELF_SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": SELF_SUBJECT_ACCESS_REVIEWS.kind,
        "spec": {"resourceAttributes": attributes},
    }
    answer = cluster.create(SELF_SUBJECT_ACCESS_REVIEWS, None, review)
    return (answer.get("status") or {}).get("allowed") is True


def _account(cluster: Cluster) -> str:
    """Return the name of our account; empty before Kubernetes 1.28, which cannot say it."""
    review = {"apiVersion": SELF_SUBJECT_REVIEWS.api_version, "kind": SELF_SUBJECT_REVIEWS.kind}
    try:
        answer: Mapping[str, Any] = cluster.create(SELF_SUBJECT_REVIEWS, None, review)
    except SparkTestError:
        return ""
    user = (answer.get("status") or {}).get("userInfo") or {}
    return str(user.get("username") or "")


def _format_rights(rights: Sequence[Right]) -> str:
    """Return the rights for people: `get/list pods, get pods/log`."""
    verbs: dict[str, list[str]] = {}
    for right in rights:
        verbs.setdefault(right.resource, []).append(right.verb)
    return ", ".join(f"{'/'.join(each)} {what}" for what, each in verbs.items())


def _place(namespaces: Sequence[str | None]) -> str:
    names = ", ".join(filter(None, namespaces))
    noun = "namespace" if len(namespaces) == 1 else "namespaces"
    return f"in {noun} {names}" if names else "in all namespaces"
