"""Schemas of Kubernetes' own kinds, from the models of the official client."""

import functools

from kubernetes import client

from sparktest.kube.fields import Object

SCALARS = {"int": {"type": "integer"}, "bool": {"type": "boolean"}, "str": {"type": "string"}}
# Quantities: Kubernetes takes numbers, too. The models have strings.
QUANTITIES = ("limits", "requests", "overhead", "size_limit", "divisor")


def model_schema(name: str) -> Object:
    """Return the OpenAPI schema of a model of the official client, such as `V1Job`.

    It names every field. What can be a number or a string has no type.
    """
    return _schema(name)


@functools.cache
def _schema(type_name: str) -> Object:
    kind, _, inner = type_name.removesuffix("]").partition("[")
    if kind == "List":
        return {"type": "array", "items": _schema(inner)}
    if kind == "Dict":
        values = _schema(inner.partition(", ")[2])
        return {"type": "object", "additionalProperties": values}
    model = getattr(client, type_name, None)
    if model is None or not hasattr(model, "openapi_types"):
        return SCALARS.get(type_name, {})
    properties = {
        key: _schema(model.openapi_types[name]) if name not in QUANTITIES else {}
        for name, key in model.attribute_map.items()
    }
    return {"type": "object", "properties": properties}
