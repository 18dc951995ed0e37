"""Metadata of objects: validation and names; and conditions. Pure but for random names."""

import re
import secrets
import uuid
from typing import Any, cast

from sparktest.devcluster.api_errors import Cause, cause
from sparktest.devcluster.stored_objects import Object

# As in Kubernetes: no vowels, so that no words appear.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
MESSAGES = {
    LABEL: "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc'",
    SUBDOMAIN: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
    "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
    "'example.com'",
    QUALIFIED: "name part must consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc'",
    f"({QUALIFIED})?": "a valid label must be an empty string or consist of alphanumeric "
    "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
    "'MyValue',  or 'my_value',  or '12345'",
}
OWNER = ("apiVersion", "kind", "name", "uid")
# A client cannot set SERVER_SET and cannot change IMMUTABLE.
SERVER_SET = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "namespace",
    "resourceVersion",
)
IMMUTABLE = (*SERVER_SET, "name", "generateName")


def new_uid() -> str:
    """Return a new unique uid."""
    return str(uuid.uuid4())


def generate_name(prefix: str) -> str:
    """Return the prefix, cut to 58 characters, with five random characters appended."""
    return prefix[:58] + "".join(secrets.choice(ALPHABET) for _ in range(5))


def ordered_metadata(meta: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata without empty fields and fields that the dev cluster does not keep."""
    dropped = ("managedFields", "selfLink", "clusterName")
    return {
        key: value
        for key, value in meta.items()
        if key not in dropped and value is not None and value not in ({}, [], "")
    }


def metadata_causes(meta: dict[str, Any], *, label_name: bool = False) -> list[Cause]:
    """Return the errors of the metadata; `label_name`: the name must have no dots (namespaces)."""
    name = meta.get("name", "")
    found: list[Cause] = []
    if not name:
        text = "Required value: name or generateName is required"
        found.append(cause("Required", "metadata.name", text))
    else:
        pattern, limit = (LABEL, 63) if label_name else (SUBDOMAIN, 253)
        found += _name_causes("metadata.name", name, pattern, limit)
    found += label_causes("metadata.labels", meta.get("labels") or {})
    for key in meta.get("annotations") or ():
        found += _key_causes("metadata.annotations", key)
    for index, owner in enumerate(meta.get("ownerReferences") or ()):
        for field in OWNER:
            if not owner.get(field):
                path = f"metadata.ownerReferences[{index}].{field}"
                found.append(cause("Required", path, "Required value"))
    return found


def label_causes(path: str, labels: dict[str, str]) -> list[Cause]:
    """Return the errors of labels: of their keys and values."""
    found = []
    for key, value in labels.items():
        found += _key_causes(path, key)
        found += _name_causes(path, value, f"({QUALIFIED})?", 63)
    return found


def dns_label_causes(path: str, name: str) -> list[Cause]:
    """Return the errors of a name that must have no dots."""
    return _name_causes(path, name, LABEL, 63)


def _key_causes(path: str, key: str) -> list[Cause]:
    prefix, slash, name = key.rpartition("/")
    found = _name_causes(path, prefix, SUBDOMAIN, 253, shown=key) if slash else []
    return found + _name_causes(path, name, QUALIFIED, 63, shown=key)


def _name_causes(
    path: str, value: str, pattern: str, limit: int, *, shown: str | None = None
) -> list[Cause]:
    shown = value if shown is None else shown
    if len(value) > limit:
        text = f'Invalid value: "{shown}": must be no more than {limit} characters'
        return [cause("Invalid", path, text)]
    if not re.fullmatch(pattern, value):
        text = f'Invalid value: "{shown}": {MESSAGES[pattern]}, regex used for validation is \''
        return [cause("Invalid", path, f"{text}{pattern}')")]
    return []


def drop_finalizer(obj: Object, name: str) -> None:
    """Remove a finalizer from an object if it has it."""
    meta = obj["metadata"]
    rest = [each for each in meta.pop("finalizers", ()) if each != name]
    if rest:
        meta["finalizers"] = rest


def condition(obj: Object, kind: str) -> dict[str, Any] | None:
    """Return the condition of a type from the status, or None."""
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found.get("type") == kind:
            return cast(dict[str, Any], found)
    return None


def is_true(obj: Object, kind: str) -> bool:
    """Return True if the condition of a type is True."""
    found = condition(obj, kind)
    return bool(found and found.get("status") == "True")


def finished(job: Object) -> bool:
    """Return True if a Job is Complete or Failed."""
    return is_true(job, "Complete") or is_true(job, "Failed")


def all_containers(spec: Object) -> list[Object]:
    """Return the containers of a pod's spec, init containers first."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def mounted_volumes(spec: Object, containers: list[Object]) -> list[Object]:
    """Return the volumes of a pod's spec that at least one of these containers mounts."""
    names = {mount["name"] for each in containers for mount in each.get("volumeMounts") or ()}
    return [volume for volume in spec.get("volumes") or () if volume["name"] in names]


def phase(pod: Object) -> str:
    """Return the phase of a pod; Pending if it has none yet."""
    return str((pod.get("status") or {}).get("phase", "Pending"))


def ended(pod: Object) -> bool:
    """Return True if a pod has Succeeded or Failed."""
    return phase(pod) in ("Succeeded", "Failed")


def will_not_run(pod: Object) -> bool:
    """Return True if a pod has ended, or is deleted before it was bound to a node."""
    deleted = pod["metadata"].get("deletionTimestamp") and not pod["spec"].get("nodeName")
    return ended(pod) or bool(deleted)


def released(obj: Object) -> bool:
    """Return True if an object is being deleted and nothing delays its removal."""
    meta = obj["metadata"]
    return bool(
        meta.get("deletionTimestamp")
        and not meta.get("finalizers")
        and not meta.get("deletionGracePeriodSeconds")
        and not (obj["kind"] == "Namespace" and (obj.get("spec") or {}).get("finalizers"))
    )
