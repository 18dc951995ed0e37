"""Pod specs with any field of the official client's models, as they are written in YAML."""

import re
from collections.abc import Iterator
from typing import Any

import kubernetes.client
from hypothesis import strategies as st

WRAPPED = re.compile(r"(List\[|Dict\[str, )(.*)\]")
LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.sampled_from(["", "a", "b", "$(A)", "ü"]),
    "int": st.integers(-1, 2**31),
    "bool": st.booleans(),
    # A port is a number or a name.
    "object": st.sampled_from([80, "http"]),
}
NAMES = st.sampled_from(["test", "a", "b", "c"])
MAX_FIELDS = 4


def fields_of(kind: str) -> dict[str, str]:
    """Return the fields of a model and their types."""
    model = getattr(kubernetes.client, kind)
    return {model.attribute_map[name]: found for name, found in model.openapi_types.items()}


def full_value(kind: str) -> Any:
    """Return a value of this type with every field, and one entry in every list."""
    wrapped = WRAPPED.fullmatch(kind)
    if wrapped:
        inner = full_value(wrapped[2])
        return [inner] if wrapped[1] == "List[" else {"key": inner}
    if kind in LEAVES:
        return {"str": "a", "int": 1, "bool": True, "object": 80}[kind]
    # Only the metadata of a volumeClaimTemplate; SparkTest does not look into it.
    if kind == "V1ObjectMeta":
        return {"labels": {"key": "a"}}
    return {name: full_value(inner) for name, inner in fields_of(kind).items()}


@st.composite
def values(draw: st.DrawFn, kind: str) -> Any:
    """Draw a value of this type, with a few fields in every object."""
    wrapped = WRAPPED.fullmatch(kind)
    if wrapped and wrapped[1] == "List[":
        return draw(st.lists(values(wrapped[2]), max_size=2))
    if wrapped:
        return draw(st.dictionaries(NAMES, values(wrapped[2]), max_size=2))
    if kind in LEAVES:
        return draw(LEAVES[kind])
    if kind == "V1ObjectMeta":
        return {"labels": draw(st.dictionaries(NAMES, NAMES, max_size=2))}
    return draw(objects(kind))


@st.composite
def objects(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Draw an object of this type with a few of its fields."""
    types = fields_of(kind)
    chosen = draw(st.lists(st.sampled_from(sorted(types)), max_size=MAX_FIELDS, unique=True))
    return {name: draw(values(types[name])) for name in chosen}


@st.composite
def pod_specs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a pod spec whose containers have names, one of them `test`."""
    spec = draw(objects("V1PodSpec"))
    for kind in ("initContainers", "containers"):
        names = draw(st.lists(NAMES, max_size=3, unique=True))
        names = names if kind == "initContainers" else list(dict.fromkeys([*names, "test"]))
        spec[kind] = [{**draw(objects("V1Container")), "name": name} for name in names]
    return spec


def lost(given: Any, found: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of what was given and is not found, or is changed."""
    if isinstance(given, dict) and isinstance(found, dict):
        for name, value in given.items():
            if name in found:
                yield from lost(value, found[name], f"{path}.{name}".lstrip("."))
            else:
                yield f"{path}.{name}".lstrip(".")
    elif isinstance(given, list) and isinstance(found, list) and len(given) == len(found):
        for index, (value, other) in enumerate(zip(given, found, strict=True)):
            yield from lost(value, other, f"{path}[{index}]")
    elif given != found:
        yield path
