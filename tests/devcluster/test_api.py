"""The verbs over real HTTP: create, get, list, update, patch, delete."""

from typing import Any

import pytest

from tests.devcluster.client import (
    JOBS,
    JSON_PATCH,
    MAPS,
    MERGE,
    PODS,
    STRATEGIC,
    Client,
    config_map,
    job,
)
from tests.devcluster.faults import Faults


def test_a_created_object_has_the_fields_that_the_server_sets(client: Client) -> None:
    made = client.create(MAPS, config_map("a", k="v"))
    meta = made["metadata"]
    assert (meta["name"], meta["namespace"]) == ("a", client.namespace)
    assert made["data"] == {"k": "v"}
    assert meta.keys() >= {"uid", "resourceVersion", "creationTimestamp"}
    assert client.get(f"{MAPS}/a") == made


def test_a_second_object_with_the_same_name_is_a_conflict(client: Client) -> None:
    client.create(MAPS, config_map("a"))
    reply = client.call("POST", MAPS, config_map("a"))
    assert (reply.code, reply.body["reason"]) == (409, "AlreadyExists")
    assert reply.body["message"] == 'configmaps "a" already exists'


def test_a_name_is_generated_from_generate_name(client: Client) -> None:
    body = {"metadata": {"generateName": "map-"}}
    names = {client.create(MAPS, body)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("map-") and len(name) == 9 for name in names)


@pytest.mark.usefixtures("garbage_collection_paused")
@pytest.mark.parametrize(
    ("path", "body", "code", "message"),
    [
        (MAPS, {"metadata": {}}, 422, "name or generateName is required"),
        (MAPS, config_map("Bad_Name"), 422, "lowercase RFC 1123 subdomain"),
        (MAPS, {"metadata": {"name": "a", "labels": {"k": "v v"}}}, 422, "a valid label"),
        (MAPS, {"metadata": {"name": "a", "labels": {"k": 1}}}, 400, "metadata.labels"),
        (
            MAPS,
            {"metadata": {"name": "a", "ownerReferences": [{"uid": []}]}},
            400,
            "ownerReferences",
        ),
        (MAPS, {"metadata": {"name": "a", "namespace": "other"}}, 400, "namespace"),
        (MAPS, {"metadata": {"name": "a"}, "data": {"k": 1}}, 400, "must be of type string"),
        (MAPS, {"kind": "Secret", "metadata": {"name": "a"}}, 400, "cannot be handled as"),
        (MAPS.replace("default", "absent"), config_map("a"), 404, 'namespaces "absent" not found'),
        ("/api/v1/namespaces", {"metadata": {"name": "a.b"}}, 422, "RFC 1123 label"),
        (JOBS, {"metadata": {"name": "a"}, "spec": {}}, 422, "spec.containers: Required value"),
        (JOBS, job("a", pod={"restartPolicy": "Always"}), 422, "restartPolicy"),
        (JOBS, job("x" * 64), 422, "no more than 63"),
        (PODS, {"metadata": {"name": "a"}, "spec": {"containers": []}}, 422, "spec.containers"),
        (MAPS, [], 400, "object"),
        (MAPS, b"{", 400, "not JSON"),
        (MAPS, b"[" * 100_000, 400, "not JSON"),
    ],
)
def test_an_invalid_object_is_rejected_with_a_reason(
    client: Client, path: str, body: Any, code: int, message: str
) -> None:
    reply = client.call("POST", path, body)
    assert reply.code == code
    assert message in reply.body.get("message", "")


def test_field_validation_decides_what_an_unknown_field_causes(client: Client) -> None:
    body = {**config_map("a"), 'x"\r\nSet-Cookie: y': 1}
    strict = client.call("POST", f"{MAPS}?fieldValidation=Strict", body)
    assert strict.code == 400
    assert "strict decoding error: unknown field" in strict.body["message"]
    warned = client.call("POST", MAPS, body)
    assert warned.code == 201
    assert warned.headers["Warning"].startswith("299 - ")
    assert "Set-Cookie" not in warned.headers
    ignored = client.call("PUT", f"{MAPS}/a?fieldValidation=Ignore", body)
    assert ignored.headers["Warning"] is None


def test_a_dry_run_returns_the_result_and_changes_nothing(client: Client) -> None:
    assert client.call("POST", f"{MAPS}?dryRun=All", config_map("a")).code == 201
    assert client.call("GET", f"{MAPS}/a").code == 404
    client.create(MAPS, config_map("a", k="1"))
    tried = client.call("PATCH", f"{MAPS}/a?dryRun=All", {"data": {"k": "2"}}, content_type=MERGE)
    assert tried.body["data"] == {"k": "2"}
    assert client.delete(f"{MAPS}/a?dryRun=All")["status"] == "Success"
    assert client.get(f"{MAPS}/a")["data"] == {"k": "1"}
    assert client.call("POST", f"{MAPS}?dryRun=Some", config_map("b")).code == 400


def test_an_update_of_an_old_version_is_a_conflict(client: Client) -> None:
    first = client.create(MAPS, config_map("a", k="1"))
    second = client.call("PUT", f"{MAPS}/a", {**first, "data": {"k": "2"}}).body
    stale = client.call("PUT", f"{MAPS}/a", {**first, "data": {"k": "3"}})
    assert (stale.code, stale.body["reason"]) == (409, "Conflict")
    assert client.get(f"{MAPS}/a") == second


def test_an_update_without_a_change_makes_no_version(client: Client) -> None:
    made = client.create(MAPS, config_map("a", k="1"))
    assert client.call("PUT", f"{MAPS}/a", made).body == made
    assert client.patch(f"{MAPS}/a", {"data": {"k": "1"}}) == made


def test_a_client_cannot_change_fields_that_the_server_sets(client: Client) -> None:
    made = client.create(MAPS, config_map("a"))
    meta = {"creationTimestamp": "1999-01-01T00:00:00Z", "generation": 9, "labels": {"x": "y"}}
    changed = client.patch(f"{MAPS}/a", {"metadata": meta})["metadata"]
    assert changed["creationTimestamp"] == made["metadata"]["creationTimestamp"]
    assert "generation" not in changed
    assert changed["labels"] == {"x": "y"}
    other = client.call("PATCH", f"{MAPS}/a", {"metadata": {"uid": "x"}}, content_type=MERGE)
    assert other.code == 409


def test_the_generation_counts_changes_of_the_spec_only(client: Client) -> None:
    path = f"{JOBS}/a"
    client.create(JOBS, job("a", spec={"suspend": True}))
    assert client.patch(path, {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 1
    assert client.patch(path, {"spec": {"parallelism": 2}})["metadata"]["generation"] == 2
    status = client.patch(f"{path}/status", {"status": {"ready": 7}, "spec": {"parallelism": 9}})
    assert status["metadata"]["generation"] == 2
    assert status["spec"]["parallelism"] == 2
    ignored = client.patch(path, {"status": {"ready": 8}})
    assert ignored["status"].get("ready") != 8


def test_the_template_of_a_job_is_immutable(client: Client) -> None:
    client.create(JOBS, job("a", spec={"suspend": True}))
    containers = [{"name": "test", "image": "other"}]
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    reply = client.call("PATCH", f"{JOBS}/a", body, content_type=STRATEGIC)
    assert reply.code == 422
    assert "spec.template" in reply.body["message"]
    assert "field is immutable" in reply.body["message"]


def test_the_deadline_of_a_pod_can_only_be_shortened(client: Client) -> None:
    spec = {"containers": [{"name": "c", "image": "simulate/creating"}]}
    client.create(PODS, {"metadata": {"name": "p"}, "spec": spec})
    deadline = client.patch(f"{PODS}/p", {"spec": {"activeDeadlineSeconds": 500}})
    assert deadline["spec"]["activeDeadlineSeconds"] == 500
    for change in ({"activeDeadlineSeconds": 600}, {"restartPolicy": "Never"}):
        reply = client.call("PATCH", f"{PODS}/p", {"spec": change}, content_type=MERGE)
        assert reply.code == 422, change


def test_a_json_patch_whose_test_fails_changes_nothing(client: Client) -> None:
    made = client.create(MAPS, config_map("a", k="1"))
    version = made["metadata"]["resourceVersion"]
    path = f"{MAPS}/a"
    patch = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/metadata/finalizers", "value": ["x/y"]},
    ]
    assert client.patch(path, patch, JSON_PATCH)["metadata"]["finalizers"] == ["x/y"]
    reply = client.call("PATCH", path, patch, content_type=JSON_PATCH)
    assert reply.code == 422


def test_string_data_of_a_secret_is_stored_as_base64(client: Client) -> None:
    path = "/api/v1/namespaces/default/secrets"
    made = client.create(path, {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    assert (made["data"], made["type"]) == ({"a": "Yg=="}, "Opaque")
    assert "stringData" not in made
    assert client.patch(f"{path}/s", {"stringData": {"a": "c"}})["data"] == {"a": "Yw=="}


def test_delete_returns_success_or_the_object_that_still_exists(client: Client) -> None:
    client.create(MAPS, config_map("a"))
    assert client.delete(f"{MAPS}/a")["status"] == "Success"
    held = config_map("b")
    held["metadata"]["finalizers"] = ["x/y"]
    client.create(MAPS, held)
    going = client.delete(f"{MAPS}/b")
    assert going["metadata"]["deletionTimestamp"]
    more = client.call(
        "PATCH", f"{MAPS}/b", {"metadata": {"finalizers": ["x/y", "z/z"]}}, content_type=MERGE
    )
    assert more.code == 422
    client.patch(f"{MAPS}/b", {"metadata": {"finalizers": None}})
    assert client.call("GET", f"{MAPS}/b").code == 404


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_system_namespaces_cannot_be_deleted(client: Client, name: str) -> None:
    reply = client.call("DELETE", f"/api/v1/namespaces/{name}")
    assert (reply.code, reply.body["reason"]) == (403, "Forbidden")


def test_a_failed_precondition_of_a_delete_is_a_conflict(client: Client) -> None:
    made = client.create(MAPS, config_map("a"))
    for key, value in (("uid", "other"), ("resourceVersion", "1")):
        reply = client.call("DELETE", f"{MAPS}/a", {"preconditions": {key: value}})
        assert reply.code == 409
    client.delete(f"{MAPS}/a", {"preconditions": {"uid": made["metadata"]["uid"]}})


def test_a_collection_is_deleted_by_selector(client: Client) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        body = config_map(name)
        body["metadata"]["labels"] = {"l": label}
        client.create(MAPS, body)
    client.delete(f"{MAPS}?labelSelector=l%3Dx")
    assert [item["metadata"]["name"] for item in client.get(MAPS)["items"]] == ["c"]


def test_pages_contain_every_object_once_at_the_version_of_the_first(client: Client) -> None:
    for number in range(7):
        client.create(MAPS, config_map(f"m{number}"))
    found, token, versions, left = [], "", set(), []
    while True:
        page = client.get(f"{MAPS}?limit=3&continue={token}")
        found += [item["metadata"]["name"] for item in page["items"]]
        versions.add(page["metadata"]["resourceVersion"])
        left.append(page["metadata"].get("remainingItemCount"))
        client.create(MAPS, config_map(f"a{len(found)}"))  # sorts before: belongs to no later page
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert found == [f"m{number}" for number in range(7)]
    assert len(versions) == 1
    assert left == [4, 1, None]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", MAPS),
        ("PUT", f"{MAPS}/a"),
        ("DELETE", f"{MAPS}/a?gracePeriodSeconds=1"),
        ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"),
    ],
)
def test_a_body_that_is_not_an_object_is_rejected(client: Client, method: str, path: str) -> None:
    reply = client.call(method, path, [1])
    assert (reply.code, reply.body["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("token", ["nonsense", "e30=", "%ff"])
def test_an_invalid_continue_token_is_rejected(client: Client, token: str) -> None:
    assert client.call("GET", f"{MAPS}?limit=1&continue={token}").code == 400


def test_an_old_continue_token_has_expired(own: Client, faults: Faults) -> None:
    for name in "ab":
        own.create(MAPS, config_map(name))
    token = own.get(f"{MAPS}?limit=1")["metadata"]["continue"]
    faults.forget_history()
    reply = own.call("GET", f"{MAPS}?limit=1&continue={token}")
    assert (reply.code, reply.body["reason"]) == (410, "Expired")


def test_items_of_built_in_lists_do_not_repeat_their_kind(client: Client) -> None:
    client.create(MAPS, config_map("a"))
    found = client.get(MAPS)
    assert found["kind"] == "ConfigMapList"
    assert {"kind", "apiVersion"} & set(found["items"][0]) == set()


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", f"{MAPS}/absent", 404),
        ("POST", "/api/v1/configmaps", 405),
        ("POST", f"{MAPS}/a", 405),
        ("PUT", MAPS, 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
        ("OPTIONS", MAPS, 405),
        ("POST", f"{PODS}/a/exec", 405),
        ("POST", "/api/v1/namespaces/default/services", 405),
    ],
)
def test_an_unsupported_request_is_rejected_with_a_status(
    client: Client, method: str, path: str, code: int
) -> None:
    reply = client.call(method, path)
    assert reply.code == code
    assert reply.body["kind"] == "Status"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nonsense",
        "/apis/nonsense/v1",
        "/apis/batch/v9/jobs",
        "/nonsense",
        f"{MAPS}/a/status",
        f"{MAPS}/a/b/c",
        "/api/v1/namespaces/default/nodes",
    ],
)
def test_an_unknown_path_is_answered_without_a_status(client: Client, path: str) -> None:
    reply = client.call("GET", path)
    assert reply.code == 404
    assert reply.body == b"404 page not found\n"
