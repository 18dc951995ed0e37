"""Schemas of Kubernetes' own kinds, from the models of the official client."""

import functools

from kubernetes import client

from sparktest.kube.fields import Object

SCALARS = {"int": {"type": "integer"}, "bool": {"type": "boolean"}, "str": {"type": "string"}}
# Quantities: Kubernetes takes numbers, too. The models have strings.
QUANTITIES = ("limits", "requests", "overhead", "size_limit", "divisor")


@functools.cache
def model_schema(name: str) -> Object:
    """Return the OpenAPI schema of a model of the official client, such as `V1Job`.

    It names every field. What can be a number or a string has no type.
    """
    kind, _, inner = name.removesuffix("]").partition("[")
    if kind == "List":
        return {"type": "array", "items": model_schema(inner)}
    if kind == "Dict":
        values = model_schema(inner.partition(", ")[2])
        return {"type": "object", "additionalProperties": values}
    model = getattr(client, name, None)
    if model is None or not hasattr(model, "openapi_types"):
        return SCALARS.get(name, {})
    properties = {
        key: model_schema(model.openapi_types[field]) if field not in QUANTITIES else {}
        for field, key in model.attribute_map.items()
    }
    return {"type": "object", "properties": properties}
