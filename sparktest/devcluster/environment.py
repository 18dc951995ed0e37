"""Build the environment and the command of a container from its pod. Pure.

As in Kubernetes, `$(NAME)` is replaced if NAME is set, and `$$` becomes `$`. No variable of the
user's environment is passed on.
"""

import binascii
import json
import os
import re
from base64 import b64decode
from collections.abc import Callable
from fractions import Fraction
from math import ceil
from pathlib import Path

from sparktest.devcluster.bootstrap import ADDRESS
from sparktest.devcluster.stored_objects import Object

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin"
TMP = ".tmp"  # no container has that name
REFERENCE = re.compile(r"\$\$|\$\(([^()$]+)\)")
ADDRESS_FIELDS = ("status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs")
QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|[KMGTPE]i?|)")
# Powers of 1000 or 1024.
SCALES = {"m": -1, "": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
NODE_LIMITS = {
    "cpu": os.cpu_count() or 1,
    "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
}
NAME = re.compile(r"[ -<>-~]+")
# Returns the object for a kind (Secret or ConfigMap) and a name, None if it does not exist.
Lookup = Callable[[str, str], Object | None]


class ConfigError(Exception):
    """The container cannot be created from its specification; the message is the reason."""


def expand(text: str, variables: dict[str, str], *, strict: bool = False) -> str:
    """Replace references to variables in a text, but keep references to unknown ones.

    Raises:
        ConfigError: a variable is unknown, and `strict` is set.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        if strict and match[1] not in variables:
            raise ConfigError(f"missing value for {match[1]}")
        return variables.get(match[1], match[0])

    return REFERENCE.sub(value, text)


def build_command(container: Object, variables: dict[str, str]) -> list[str]:
    """Return the program and its arguments, of a container that has a command."""
    words = [*container["command"], *(container.get("args") or ())]
    return [expand(word, variables) for word in words]


def build_environment(
    container: Object, pod: Object, root: Path, programs: Path, lookup: Lookup
) -> dict[str, str]:
    """Return the environment variables of a container.

    `root` is the pod's folder; the folder `programs` is the last one in PATH.

    Raises:
        ConfigError: a Secret, a ConfigMap, a key or a field does not exist.
    """
    found = {
        "PATH": f"{PATH}:{programs}",
        "HOME": str(root / container["name"]),
        "TMPDIR": str(root / TMP),
        "LANG": "C.UTF-8",
        "HOSTNAME": pod["metadata"]["name"],
    }
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix", "")
        for kind, field in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
            for key, value in read_all(kind, source.get(field), lookup).items():
                if NAME.fullmatch(prefix + key):
                    found[prefix + key] = value
    for variable in container.get("env") or ():
        text = _value_of(variable, pod, container, lookup)
        if text is not None:
            found[variable["name"]] = expand(text, found) if "value" in variable else text
    return found


def read_all(kind: str, reference: Object | None, lookup: Lookup) -> dict[str, str]:
    """Return the decoded data of a Secret or ConfigMap; {} without a reference or if optional.

    Raises:
        ConfigError: the object does not exist, or its data cannot be decoded.
    """
    if not reference:
        return {}
    name = reference.get("name", "")
    obj = lookup(kind, name)
    if obj is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    data: dict[str, str] = obj.get("data") or {}
    return {key: _decode(text) for key, text in data.items()} if kind == "Secret" else data


def _decode(text: str) -> str:
    try:
        return b64decode("".join(text.split()), validate=True).decode(errors="surrogateescape")
    except binascii.Error as error:
        raise ConfigError("a value of the secret is not valid base64") from error


def _value_of(variable: Object, pod: Object, container: Object, lookup: Lookup) -> str | None:
    """Return the value of a variable; None if it is optional and its source does not exist."""
    source = variable.get("valueFrom")
    if not source:
        return str(variable.get("value", ""))
    for kind, field in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
        if field in source:
            reference = source[field]
            data = read_all(kind, reference, lookup)
            if reference["key"] in data:
                return data[reference["key"]]
            if reference.get("optional"):
                return None
            raise ConfigError(f"couldn't find key {reference['key']} in {kind} {reference['name']}")
    return downward_value(source, pod, container)


def downward_value(source: Object, pod: Object, container: Object, *, whole: bool = False) -> str:
    """Return the text of a fieldRef, or of a resourceFieldRef about this container.

    For `whole` and errors see `pod_field`.
    """
    if "fieldRef" in source:
        return pod_field(source["fieldRef"]["fieldPath"], pod, whole=whole)
    reference = source["resourceFieldRef"]
    kind, name = reference["resource"].split(".")
    given = ((container.get("resources") or {}).get(kind) or {}).get(name)
    if given is None:  # as for a container without limits: what the node has
        given = NODE_LIMITS.get(name, 0) if kind == "limits" else 0
    # 0 stands for no divisor.
    return str(ceil(_quantity(given) / (_quantity(reference.get("divisor", 1)) or 1)))


def _quantity(value: object) -> Fraction:
    """Return the value of a Kubernetes quantity: `500m`, `1.5`, `64Mi`, `2G`.

    Raises:
        ConfigError: it is not of this form.
    """
    match = QUANTITY.fullmatch(str(value))
    if match is None:
        raise ConfigError(f"the dev cluster cannot read the quantity {value}")
    number, base = Fraction(match[1]), Fraction(1024 if match[2].endswith("i") else 1000)
    return number * base ** SCALES[match[2][:1]]


def pod_field(path: str, pod: Object, *, whole: bool = False) -> str:
    """Return a field of a pod as text; `whole`: labels and annotations may be read as a whole.

    Raises:
        ConfigError: the field is not a single value.
    """
    match = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if match:
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    if path in ADDRESS_FIELDS:
        return ADDRESS
    value: object = pod
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if whole and isinstance(value, dict):
        quoted = {key: json.dumps(text, ensure_ascii=False) for key, text in value.items()}
        return "\n".join(f"{key}={quoted[key]}" for key in sorted(quoted))
    if isinstance(value, dict | list):
        raise ConfigError(f"fieldRef: {path} is not a single value")
    return "" if value is None else str(value)
