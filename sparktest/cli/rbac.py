"""The RBAC manifests that SparkTest ships: cluster-wide, or for some namespaces. Pure."""

import json
import re
from collections.abc import Sequence
from importlib.resources import files

CONTROLLER = "sparktest-controller"
# The namespace of the ServiceAccounts in the manifests.
NAMESPACE = "sparktest"
SEPARATOR = "---\n"


def manifests(namespaces: Sequence[str] = (), controller_namespace: str = NAMESPACE) -> str:
    """Return the manifests that grant API and controller their rights, as YAML.

    Args:
        namespaces: where tests run; none: in all namespaces, which takes ClusterRoles.
        controller_namespace: where API and controller run. Any but the default must exist.
    """
    if not namespaces and controller_namespace == NAMESPACE:
        return _read("rbac.yaml")
    documents = _documents("rbac.yaml")
    if controller_namespace != NAMESPACE:
        documents = [each for each in documents if "\nkind: Namespace\n" not in each]
    if namespaces:
        documents = [each for each in documents if "\nkind: Cluster" not in each]
    documents += [
        each.replace("metadata:\n", f"metadata:\n  namespace: {json.dumps(namespace)}\n")
        for namespace in namespaces
        for each in _documents("rbac-namespaced.yaml")
    ]
    home = f"namespace: {json.dumps(controller_namespace)}\n"
    return SEPARATOR.join(documents).replace(f"namespace: {NAMESPACE}\n", home)


def _read(name: str) -> str:
    return (files("sparktest.crd") / name).read_text(encoding="utf-8")


def _documents(name: str) -> list[str]:
    """Return the documents of a file without the comment at its top, which is about the file."""
    start = re.sub(r"\A(#.*\n)+", "", _read(name))
    return start.split(SEPARATOR)
