"""Check pod templates (partial PodTemplateSpecs): what SparkTest itself relies on. Pure.

Kubernetes checks the rest when the Job is created.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sparktest.errors import FieldError, InvalidError
from sparktest.kube.fields import Object, mapping, text
from sparktest.kube.pod_template import (
    AMBIGUOUS_CONTAINER,
    RESERVED_PREFIX,
    normalize_template,
    test_container,
)

# A PodTemplateSpec has 12 levels.
MAX_DEPTH = 32
MAX_ERRORS = 20
# The fields that SparkTest reads or adds to: Kubernetes checks their content.
METADATA_TYPES = {"labels": Mapping, "annotations": Mapping}
SPEC_TYPES = {
    "containers": list,
    "initContainers": list,
    "volumes": list,
    "imagePullSecrets": list,
    "securityContext": Mapping,
    "os": Mapping,
}
CONTAINER_TYPES = {
    "env": list,
    "envFrom": list,
    "volumeMounts": list,
    "resources": Mapping,
    "securityContext": Mapping,
}


def checked_template(template: Mapping[str, Any]) -> Object:
    """Return the template, normalized.

    Raises:
        InvalidError: it cannot be used; the message names every field.
    """
    template = normalize_template(template)
    errors = template_errors(template)
    if not errors:
        test = test_container(template)
        if test is None:
            raise InvalidError(AMBIGUOUS_CONTAINER)
        errors += _restart_errors(test)
    if errors:
        detail = "; ".join(f"/template{each['pointer']}: {each['detail']}" for each in errors)
        raise InvalidError(detail, errors=errors)
    return template


def _restart_errors(test: Mapping[str, Any]) -> Iterator[FieldError]:
    """Yield the fields by which Kubernetes would run the test again in the same pod."""
    for name in ("restartPolicy", "restartPolicyRules"):
        if name in test:
            pointer = f"/spec/containers/{test['name']}/{name}"
            yield _error(pointer, "a run is one execution: the test is not restarted")


def template_errors(template: Mapping[str, Any]) -> list[FieldError]:
    """Return why a normalized template, of one layer or merged, cannot be used.

    The pointers are JSON pointers inside the template.
    """
    if _is_too_deep(template):
        return [_error("", f"must not be nested deeper than {MAX_DEPTH} levels")]
    errors = itertools.chain(_part_errors(template), _removal_errors("", template))
    return list(itertools.islice(errors, MAX_ERRORS))


def _is_too_deep(template: Mapping[str, Any]) -> bool:
    level: list[Any] = [template]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
    return bool(level)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def _part_errors(template: Mapping[str, Any]) -> Iterator[FieldError]:
    for name in template:
        if name not in ("metadata", "spec"):
            yield _error(f"/{name}", "a template has metadata and spec only")
    yield from _type_errors("", template, {"metadata": Mapping, "spec": Mapping})
    metadata, spec = mapping(template, "metadata"), mapping(template, "spec")
    for name in metadata:
        if name not in METADATA_TYPES:
            detail = "only labels and annotations are used of a template's metadata"
            yield _error(f"/metadata/{name}", detail)
    yield from _type_errors("/metadata", metadata, METADATA_TYPES)
    yield from _type_errors("/spec", spec, SPEC_TYPES)
    for kind in ("initContainers", "containers"):
        if isinstance(spec.get(kind), list):
            for index, container in enumerate(spec[kind]):
                yield from _container_errors(f"/spec/{kind}/{index}", container)
    yield from _reserved_names(spec)


def _reserved_names(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    for kind in ("initContainers", "containers", "volumes"):
        entries = spec.get(kind)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and text(entry, "name").startswith(RESERVED_PREFIX):
                detail = f"names that begin with {RESERVED_PREFIX} are SparkTest's own"
                yield _error(f"/spec/{kind}/{index}/name", detail)


def _container_errors(pointer: str, container: Any) -> Iterator[FieldError]:
    if not isinstance(container, Mapping):
        yield _error(pointer, "must be an object")
        return
    if not text(container, "name"):
        yield _error(f"{pointer}/name", "must be a name: containers are merged by it")
    yield from _type_errors(pointer, container, CONTAINER_TYPES)
    security = mapping(container, "securityContext")
    yield from _type_errors(f"{pointer}/securityContext", security, {"capabilities": Mapping})


def _type_errors(
    pointer: str, parent: Mapping[str, Any], types: Mapping[str, type]
) -> Iterator[FieldError]:
    for name, kind in types.items():
        # `_removal_errors` refuses null.
        if parent.get(name) is not None and not isinstance(parent[name], kind):
            detail = "must be a list" if kind is list else "must be an object"
            yield _error(f"{pointer}/{name}", detail)


def _removal_errors(pointer: str, value: Any) -> Iterator[FieldError]:
    if value is None:
        yield _error(pointer, "null is not allowed: leave the field out")
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            here = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            if name.startswith("$patch"):
                yield _error(here, "patch directives are not allowed")
            else:
                yield from _removal_errors(here, entry)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _removal_errors(f"{pointer}/{index}", entry)


def _error(pointer: str, detail: str) -> FieldError:
    return {"pointer": pointer, "detail": detail}
