"""Every operation of the document is complete: its id, headers and statuses."""

import pytest

from sparktest.api.operations import ERRORS, ETAG, complete


@pytest.fixture
def document(client):
    return client.get("/api/openapi.json").get_json()


@pytest.fixture
def operations(document):
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }


def test_every_operation_has_an_id_of_its_own(operations):
    ids = [operation["operationId"] for operation in operations.values()]
    assert all(ids)
    assert len(set(ids)) == len(ids)


def test_statuses_are_listed_and_not_only_the_default(operations):
    for place, operation in operations.items():
        assert {"422", "503"} <= set(operation["responses"]), place


def test_a_created_resource_has_a_location(operations):
    for place, operation in operations.items():
        if "201" in operation["responses"] and place[0] == "post":
            assert "Location" in operation["responses"]["201"]["headers"], place


def test_every_post_takes_an_idempotency_key_except_for_a_secret_and_a_question(operations):
    key = {"$ref": "#/components/parameters/Idempotency-Key"}
    without = [
        path
        for (method, path), operation in operations.items()
        if method == "post" and key not in operation["parameters"]
    ]
    assert without == ["/api/test-runs:missing", "/api/tokens"]


def test_an_operation_with_a_header_of_its_own_has_its_query_too(operations, document):
    for path in ("/api/test-runs/events", "/api/test-runs/{run_id}/logs"):
        shared = {each["name"] for each in document["paths"][path]["parameters"]}
        query = {each["name"] for each in operations["get", path]["parameters"]}
        assert "Last-Event-ID" in shared
        assert query >= ({"origin"} if path.endswith("events") else {"tail", "follow"})


def test_lists_link_to_the_next_page(operations):
    assert "Link" in operations["get", "/api/test-runs"]["responses"]["200"]["headers"]


def test_a_resource_with_an_etag_has_its_preconditions(operations):
    path = "/api/test-definitions/{definition_id}"
    got, put = operations["get", path], operations["put", path]
    assert {"$ref": "#/components/parameters/If-None-Match"} in got["parameters"]
    assert {"200", "304"} <= set(got["responses"])
    assert {"$ref": "#/components/parameters/If-Match"} in put["parameters"]
    assert {"200", "409", "412"} <= set(put["responses"])
    assert "ETag" in put["responses"]["200"]["headers"]


def test_what_follows_from_body_token_and_path():
    operation = {"responses": {201: {}}, "requestBody": {}, "security": [{"token": ["run"]}]}
    complete("/things/<uuid:thing_id>", "post", operation)
    statuses = set(operation["responses"])
    assert statuses >= {"201", "400", "401", "403", "404", "409", "413", "415", "422", "429", "503"}
    assert statuses <= {"201", *map(str, ERRORS)}


def test_an_open_route_without_parameters_has_few():
    operation = {"responses": {"200": {}}, "security": []}
    complete("/livez", "get", operation)
    assert set(operation["responses"]) == {"200", "403", "422", "503"}


def test_the_extension_of_etags_is_not_in_the_document():
    operation = {"responses": {"200": {}}, "security": [], ETAG: True}
    complete("/things", "get", operation)
    assert ETAG not in operation
