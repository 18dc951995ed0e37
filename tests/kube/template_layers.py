"""Strategies for pod templates of several layers, whose fields have the types of Kubernetes."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

# As the contract has them, of the fields below.
MERGED_BY = {
    "volumes": "name",
    "initContainers": "name",
    "containers": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "hostAliases": "ip",
}
REPLACED_WHOLE = ("env", "volumes")
Strategy = st.SearchStrategy[Any]
# Few names and values, so that layers often have the same ones.
NAME = st.sampled_from(["a", "test"])
VALUE = st.sampled_from(["1", "2", ""])
LABELS = st.dictionaries(NAME, VALUE, max_size=2)


def some(**fields: Strategy) -> Strategy:
    """Return objects with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def entries(key: str, names: Strategy, **fields: Strategy) -> Strategy:
    """Return lists of objects, each with another value of the key."""
    entry = st.fixed_dictionaries({key: names}, optional=fields)
    return st.lists(entry, min_size=1, max_size=2, unique_by=lambda each: each[key])


def pod(*, containers: Strategy, volumes: Strategy, **fields: Strategy) -> Strategy:
    """Return pods with containers and volumes, and any of the other fields."""
    needed = {"containers": containers, "volumes": volumes}
    return st.fixed_dictionaries(needed, optional=fields)


CONTAINERS = entries(
    "name",
    NAME,
    image=VALUE,
    args=st.lists(VALUE, max_size=2),
    env=entries("name", NAME, value=VALUE, valueFrom=some(fieldRef=LABELS)),
    volumeMounts=entries("mountPath", st.sampled_from(["/a", "/b"]), name=NAME, subPath=VALUE),
    ports=entries("containerPort", st.integers(1, 3), name=NAME),
    securityContext=some(runAsUser=st.integers(0, 2), privileged=st.booleans()),
)
TEMPLATES = some(
    metadata=some(labels=LABELS, annotations=LABELS),
    spec=pod(
        nodeName=VALUE,
        nodeSelector=LABELS,
        tolerations=st.lists(some(key=NAME, value=VALUE), max_size=2),
        volumes=entries("name", NAME, emptyDir=st.just({}), secret=LABELS),
        initContainers=CONTAINERS,
        containers=CONTAINERS,
        hostAliases=entries(
            "ip", st.sampled_from(["1.1.1.1", "2.2.2.2"]), hostnames=st.lists(NAME)
        ),
    ),
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield the path and text of everything that a merge takes or leaves as a whole.

    An entry of a list that merges by a key has the key in its path, instead of its position.
    """
    name = path[-1] if path else None
    if isinstance(value, list) and name in MERGED_BY:
        for entry in value:
            here = (*path, entry[MERGED_BY[name]])
            yield from leaves(entry, here) if name not in REPLACED_WHOLE else [(here, str(entry))]
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from leaves(entry, (*path, key))
    else:
        yield path, str(value)
