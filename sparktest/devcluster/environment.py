"""The environment and the command of a container: built from the pod, never from the user's. Pure.

`$(NAME)` is replaced where NAME is known, `$$` stands for `$`, as in Kubernetes.
"""

import binascii
import re
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

from sparktest.devcluster.entries import Object

PATH = (
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin:"
    # So that `python` runs wherever the dev cluster does.
    f"{Path(sys.executable).parent}"
)
REFERENCE = re.compile(r"\$\$|\$\(([^()$]+)\)")
NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
# Kind (Secret or ConfigMap), name: the object, None if there is none.
Lookup = Callable[[str, str], Object | None]


class ConfigError(Exception):
    """The container cannot be made from what the pod says; the text says why."""


def expanded(text: str, known: dict[str, str]) -> str:
    """The text with its references replaced; an unknown one stays as it is."""

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        return known.get(match[1], match[0])

    return REFERENCE.sub(value, text)


def command(container: Object, known: dict[str, str]) -> list[str]:
    """The program and its arguments.

    Raises:
        ConfigError: there is no command.
    """
    if not container.get("command"):
        raise ConfigError(
            f"the image {container.get('image')} is named and not pulled, so nobody knows what it "
            "runs: the dev cluster runs only a given command"
        )
    words = [*container["command"], *(container.get("args") or ())]
    return [expanded(word, known) for word in words]


def environment(
    container: Object, pod: Object, home: Path, tmp: Path, lookup: Lookup
) -> dict[str, str]:
    """The variables of a container.

    Raises:
        ConfigError: a Secret, a ConfigMap, a key or a field is not there.
    """
    found = {
        "PATH": PATH,
        "HOME": str(home),
        "TMPDIR": str(tmp),
        "LANG": "C.UTF-8",
        "HOSTNAME": pod["metadata"]["name"],
    }
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix", "")
        for kind, field in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
            for key, value in _all(kind, source.get(field), lookup).items():
                if NAME.fullmatch(prefix + key):
                    found[prefix + key] = value
    for variable in container.get("env") or ():
        text = _value(variable, pod, lookup)
        if text is not None:
            found[variable["name"]] = expanded(text, found) if "value" in variable else text
    return found


def _all(kind: str, reference: Object | None, lookup: Lookup) -> dict[str, str]:
    if not reference:
        return {}
    obj = lookup(kind, reference.get("name", ""))
    if obj is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{kind.lower()} "{reference.get("name", "")}" not found')
    return _data(kind, obj)


def _data(kind: str, obj: Object) -> dict[str, str]:
    data: dict[str, str] = obj.get("data") or {}
    if kind == "ConfigMap":
        return data
    return {key: _decoded(value) for key, value in data.items()}


def _decoded(text: str) -> str:
    try:
        return b64decode("".join(text.split()), validate=True).decode(errors="surrogateescape")
    except binascii.Error as error:
        raise ConfigError("a value of the secret is no base64") from error


def _value(variable: Object, pod: Object, lookup: Lookup) -> str | None:
    """A variable's value; None where an optional one is not there."""
    source = variable.get("valueFrom")
    if not source:
        return str(variable.get("value", ""))
    for kind, field in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
        if field in source:
            reference = source[field]
            data = _all(kind, reference, lookup)
            if reference["key"] in data:
                return data[reference["key"]]
            if reference.get("optional"):
                return None
            raise ConfigError(f"couldn't find key {reference['key']} in {kind} {reference['name']}")
    if "fieldRef" in source:
        return _field(source["fieldRef"]["fieldPath"], pod)
    raise ConfigError(
        f"{variable['name']}: the dev cluster knows no {next(iter(source), 'source')}"
    )


def _field(path: str, pod: Object) -> str:
    match = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if match:
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    value: object = pod
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, dict | list):
        raise ConfigError(f"fieldRef: {path} is not one value")
    return "" if value is None else str(value)
