"""Custom resources: CRDs, and the objects that they validate."""

from copy import deepcopy
from typing import Any

import pytest

from sparktest.devcluster.app import DevCluster
from tests.devcluster.client import MERGE, STRATEGIC, Client, eventually

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RUNS = "/apis/sparktest.dev/v1alpha1/namespaces/default/testruns"
STRING = {"type": "string"}


def run(name: str = "a", **spec: Any) -> dict[str, Any]:
    meta = {"name": name}
    return {
        "apiVersion": "sparktest.dev/v1alpha1",
        "kind": "TestRun",
        "metadata": meta,
        "spec": spec or {"image": "busybox"},
    }


def widget(**schema: Any) -> dict[str, Any]:
    """Return a CRD: Widget in example.com/v1, cluster-scoped, without a status subresource."""
    properties = {"spec": {"type": "object", **schema}, "status": {"type": "object"}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
    }
    names = {"kind": "Widget", "plural": "widgets"}
    spec = {"group": "example.com", "scope": "Cluster", "names": names, "versions": [version]}
    return {"metadata": {"name": "widgets.example.com"}, "spec": spec}


@pytest.fixture
def runs(own: Client, testrun_crd: Any) -> Client:
    own.create(CRDS, testrun_crd)
    return own


def test_a_kind_is_served_as_long_as_its_crd_exists(own: Client, testrun_crd: Any) -> None:
    assert own.call("GET", RUNS).code == 404
    crd = own.create(CRDS, testrun_crd)
    established = {c["type"] for c in crd["status"]["conditions"] if c["status"] == "True"}
    assert established == {"NamesAccepted", "Established"}
    own.create(RUNS, run())
    assert own.get(RUNS)["kind"] == "TestRunList"
    own.delete(f"{CRDS}/testruns.sparktest.dev")
    eventually(lambda: own.call("GET", RUNS).code == 404)
    own.create(CRDS, testrun_crd)
    assert own.get(RUNS)["items"] == []


def test_a_crd_serves_again_after_a_restart(cluster: DevCluster, runs: Client) -> None:
    runs.create(RUNS, run())
    runs.close()
    cluster.stop()
    with DevCluster.start(cluster.kubeconfig.parent) as again:
        client = Client(again)
        assert client.get(f"{RUNS}/a")["spec"] == {"image": "busybox"}
        client.close()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"env": {}}, "must validate one and only one schema (oneOf). Found none valid"),
        ({"env": {}}, "give one of definitionId, definitionName and image"),
        ({"image": "a", "definitionName": "b"}, "Found 2 valid alternatives"),
        ({"image": "a", "timeoutSeconds": 0}, "should be greater than or equal to 1"),
        ({"image": "a", "env": {"1A": "x"}}, "names must consist of letters"),
        ({"image": "a", "commands": ["x"], "args": ["y"]}, "not both"),
    ],
)
def test_a_run_that_violates_the_schema_is_rejected(runs: Client, spec: Any, message: str) -> None:
    reply = runs.call("POST", RUNS, run(**spec))
    assert (reply.code, reply.body["reason"]) == (422, "Invalid")
    assert message in reply.body["message"]
    assert reply.body["details"]["causes"]


def test_only_cancel_can_be_changed_in_a_run(runs: Client) -> None:
    runs.create(RUNS, run())
    reply = runs.call("PATCH", f"{RUNS}/a", {"spec": {"image": "other"}}, content_type=MERGE)
    assert reply.code == 422
    assert "image cannot change" in reply.body["message"]
    assert runs.patch(f"{RUNS}/a", {"spec": {"cancelled": True}})["metadata"]["generation"] == 2
    back = runs.call("PATCH", f"{RUNS}/a", {"spec": {"cancelled": False}}, content_type=MERGE)
    assert back.code == 422


def test_status_is_written_by_its_subresource_only(runs: Client) -> None:
    made = runs.create(RUNS, {**run(), "status": {"phase": "Succeeded"}})
    assert "status" not in made
    status = {"status": {"phase": "Running"}, "metadata": {"labels": {"a": "b"}}}
    written = runs.patch(f"{RUNS}/a/status", status)
    assert written["status"] == {"phase": "Running"}
    assert "labels" not in written["metadata"]
    assert written["metadata"]["generation"] == 1
    assert runs.patch(f"{RUNS}/a", {"status": {"phase": "Failed"}})["status"] == written["status"]
    wrong = runs.call("PATCH", f"{RUNS}/a/status", {"status": {"phase": "x"}}, content_type=MERGE)
    assert wrong.code == 422


def test_an_update_needs_a_resource_version(runs: Client) -> None:
    runs.create(RUNS, run())
    reply = runs.call("PUT", f"{RUNS}/a", run())
    assert reply.code == 422
    assert "metadata.resourceVersion" in reply.body["message"]


def test_a_strategic_patch_of_a_custom_resource_is_rejected(runs: Client) -> None:
    runs.create(RUNS, run())
    assert runs.call("PATCH", f"{RUNS}/a", {}, content_type=STRATEGIC).code == 415


def test_defaults_and_pruning_come_from_the_schema(own: Client) -> None:
    own.create(CRDS, widget(properties={"a": {**STRING, "default": "x"}}))
    body = {"metadata": {"name": "w"}, "spec": {"b": 1}}
    reply = own.call("POST", "/apis/example.com/v1/widgets", body)
    assert reply.body["spec"] == {"a": "x"}
    assert "spec.b" in reply.headers["Warning"]


def test_without_a_status_subresource_status_is_an_ordinary_field(own: Client) -> None:
    own.create(CRDS, widget())
    path = "/apis/example.com/v1/widgets"
    made = own.create(path, {"metadata": {"name": "w"}, "spec": {}, "status": {}})
    assert made["status"] == {}
    assert own.call("GET", f"{path}/w/status").code == 404


def test_an_object_can_be_read_in_every_version(own: Client) -> None:
    crd = widget(properties={"a": STRING})
    second = deepcopy(crd["spec"]["versions"][0]) | {"name": "v2", "storage": False}
    crd["spec"]["versions"].append(second)
    own.create(CRDS, crd)
    own.create("/apis/example.com/v2/widgets", {"metadata": {"name": "w"}, "spec": {"a": "1"}})
    for version in ("v1", "v2"):
        path = f"/apis/example.com/{version}/widgets"
        assert own.get(f"{path}/w")["apiVersion"] == f"example.com/{version}"
        assert own.get(path)["items"][0]["apiVersion"] == f"example.com/{version}"
    changed = own.patch("/apis/example.com/v2/widgets/w", {"spec": {"a": "2"}})
    assert changed["apiVersion"] == "example.com/v2"
    assert own.get("/apis/example.com/v1/widgets/w")["spec"] == {"a": "2"}


def test_a_changed_schema_applies_to_the_next_write(own: Client) -> None:
    own.create(CRDS, widget(properties={"a": STRING}))
    path = "/apis/example.com/v1/widgets"
    own.create(path, {"metadata": {"name": "w"}, "spec": {"a": "1"}})
    versions = widget(properties={"a": {**STRING, "maxLength": 1}})["spec"]["versions"]
    own.patch(f"{CRDS}/widgets.example.com", {"spec": {"versions": versions}})
    assert own.call("PATCH", f"{path}/w", {"spec": {"a": "12"}}, content_type=MERGE).code == 422


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": {"name": "other"}}, "must be spec.names.plural"),
        ({"spec": {"scope": "Galaxy"}}, "Unsupported value"),
        ({"spec": {"versions": []}}, "spec.versions"),
    ],
)
def test_an_invalid_crd_is_rejected(own: Client, change: Any, message: str) -> None:
    crd = widget()
    for part, values in change.items():
        crd[part] |= values
    reply = own.call("POST", CRDS, crd)
    assert reply.code == 422
    assert message in reply.body["message"]


@pytest.mark.parametrize(
    "schema",
    [
        {"x-kubernetes-validations": [{"rule": "self.a +"}]},
        {"properties": {"a": {"type": "string", "pattern": "("}}},
        {"properties": {"a": {"type": "nonsense"}}},
        {"properties": []},
    ],
)
def test_a_crd_whose_schema_does_not_compile_is_rejected(own: Client, schema: Any) -> None:
    reply = own.call("POST", CRDS, widget(**schema))
    assert reply.code == 422
    assert "openAPIV3Schema" in reply.body["message"]


def test_openapi_contains_the_schema_of_a_kind(runs: Client) -> None:
    paths = runs.get("/openapi/v3")["paths"]
    entry = paths["apis/sparktest.dev/v1alpha1"]
    document = runs.get(entry["serverRelativeURL"])
    (schema,) = document["components"]["schemas"].values()
    assert schema["properties"]["spec"]["properties"]["timeoutSeconds"]["maximum"] == 2147483647
    assert schema["x-kubernetes-group-version-kind"][0]["kind"] == "TestRun"
    definitions = runs.get("/openapi/v2")["definitions"]
    assert "dev.sparktest.v1alpha1.TestRun" in definitions
    assert runs.call("GET", "/openapi/v3/apis/absent/v1").code == 404
