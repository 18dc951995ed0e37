"""The OpenAPI document describes all routes."""

import re

import pytest

from tests.api.requests import answered


@pytest.fixture
def document(client):
    return answered(client.get("/api/openapi.json"), 200)


def test_it_is_a_document_of_version_3_1(document):
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"] == "SparkTest"


def test_every_route_is_in_it(app, document):
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith("/api/runs")
        and rule.endpoint not in ("api-docs.openapi_json", "docs")
    }
    documented = {
        (path, method)
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert served == documented


def test_every_reference_can_be_resolved(document):
    for reference in set(re.findall(r"'\$ref': '#/([^']+)'", str(document))):
        place = document
        for part in reference.split("/"):
            place = place[part]


def test_every_operation_has_a_summary_and_an_error_response(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            assert operation["summary"], (path, method)
            assert "default" in operation["responses"], (path, method)
    problem = document["components"]["responses"]["DEFAULT_ERROR"]
    assert list(problem["content"]) == ["application/problem+json"]


def test_routes_without_authentication_are_documented(document):
    assert document["security"] == [{"token": []}]
    for path in ("/livez", "/readyz", "/api/health"):
        assert document["paths"][path]["get"]["security"] == []


def test_the_schemas_have_their_names_and_types(document):
    schemas = document["components"]["schemas"]
    assert {"Run", "RunCreate", "Definition", "Problem", "Report"} <= set(schemas)
    run = schemas["Run"]["properties"]
    assert schemas[run["status"]["$ref"].rpartition("/")[2]]["enum"][0] == "cancelled"
    assert {"$ref": "#/components/schemas/K8sRef"} in run["k8sRef"]["anyOf"]
    assert [each["type"] for each in run["finishedAt"]["anyOf"]] == ["string", "null"]
    assert run["testDefinitionId"]["anyOf"][0] == {"type": "string", "format": "uuid"}


def test_templates_and_git_are_objects_in_requests_and_answers(document):
    schemas = document["components"]["schemas"]
    for name in ("RunCreate", "Overrides", "DefinitionInput", "Run", "Definition"):
        assert "object" in schemas[name]["properties"]["template"]["type"]
        git = schemas[name]["properties"]["git"]
        assert "#/components/schemas/Git" in str(git) or git["type"] == "object"
    assert set(schemas["Git"]["properties"]) == {"url", "ref", "path", "secretName"}
    assert {"containers", "gitCommit"} <= set(schemas["Run"]["properties"])


def test_a_rerun_takes_overrides_that_may_be_left_out(document):
    body = document["paths"]["/api/test-runs/{run_id}/rerun"]["post"]["requestBody"]
    assert body["required"] is False
    schema = body["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Overrides"}
