"""No request body causes an internal error."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.devcluster.app import DevCluster
from tests.devcluster.client import JOBS, MERGE, STRATEGIC, Client, job

NAMED = {"metadata": {"name": "a", "labels": {"k": "v"}, "finalizers": ["x.dev/y"]}}
CONTAINER = {
    "name": "a",
    "image": "simulate/creating",
    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
    "envFrom": [{"secretRef": {"name": "s"}}],
    "resources": {"limits": {"cpu": "1"}},
}
PODS = "/api/v1/namespaces/default/pods"
BODIES: list[tuple[str, Any]] = [
    (JOBS, job("a", env=CONTAINER["env"], resources=CONTAINER["resources"])),
    (PODS, NAMED | {"spec": {"containers": [CONTAINER], "tolerations": []}}),
    ("/api/v1/namespaces/default/secrets", NAMED | {"stringData": {"a": "b"}, "data": {}}),
    ("/api/v1/namespaces", NAMED | {"spec": {"finalizers": ["kubernetes"]}}),
    (
        "/api/v1/namespaces/default/events",
        NAMED | {"involvedObject": {"kind": "Pod", "name": "a"}, "source": {"component": "x"}},
    ),
    (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        {
            "metadata": {"name": "as.b.dev"},
            "spec": {
                "group": "b.dev",
                "scope": "Namespaced",
                "names": {"plural": "as", "kind": "A"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"type": "object", "properties": {}}},
                        "additionalPrinterColumns": [
                            {"name": "A", "type": "string", "jsonPath": ".a"}
                        ],
                    }
                ],
            },
        },
    ),
]
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3)
JUNK = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS)


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a value."""
    steps: Any = ()
    if isinstance(value, dict):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value)
    for step, part in steps:
        yield (*here, step)
        yield from places(part, (*here, step))


@st.composite
def broken(draw: st.DrawFn, whole: list[tuple[str, Any]]) -> tuple[str, Any]:
    """Draw a body with junk in one place."""
    path, body = draw(st.sampled_from(whole))
    copy = json.loads(json.dumps(body))
    *parents, last = draw(st.sampled_from(sorted(places(copy), key=str)))
    inside = copy
    for step in parents:
        inside = inside[step]
    inside[last] = draw(JUNK)
    return path, copy


@pytest.fixture(scope="module")
def module_client(shared: DevCluster) -> Iterator[Client]:
    made = Client(shared)
    body = {"metadata": {"generateName": "bodies-"}}
    made.namespace = made.create("/api/v1/namespaces", body)["metadata"]["name"]
    made.create(JOBS, job("a", image="simulate/creating"))
    yield made
    made.delete(f"/api/v1/namespaces/{made.namespace}")
    made.close()


@given(broken(BODIES))
def test_a_body_with_junk_in_it_is_accepted_or_rejected(
    module_client: Client, sent: tuple[str, Any]
) -> None:
    path, body = sent
    reply = module_client.call("POST", f"{path}?dryRun=All", body)
    assert reply.code < 500, reply.body


@given(broken(BODIES[:1]), st.sampled_from([MERGE, STRATEGIC]))
def test_a_patch_with_junk_in_it_is_accepted_or_rejected(
    module_client: Client, sent: tuple[str, Any], media_type: str
) -> None:
    path, patch = sent
    reply = module_client.call("PATCH", f"{path}/a?dryRun=All", patch, content_type=media_type)
    assert reply.code < 500, reply.body
