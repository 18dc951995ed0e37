"""Every example of the OpenAPI document is valid, and what the API takes and sends."""

import html
import json

import jsonschema_rs
import pytest

from sparktest.api import examples
from tests.api.requests import adhoc, answered


@pytest.fixture
def document(client):
    return answered(client.get("/api/openapi.json"), 200)


def operations(document):
    for operations in document["paths"].values():
        for method, operation in operations.items():
            if method != "parameters":
                yield operation


def examples_of(document, content):
    """Return the examples of a body, with references resolved."""
    found = [content["example"]] if "example" in content else []
    for each in content.get("examples", {}).values():
        name = each["$ref"].removeprefix("#/components/examples/")
        found.append(document["components"]["examples"][name]["value"])
    return found


def check(document, schema, value):
    """Raise ValidationError unless the value is valid, with formats such as uuid."""
    whole = {**schema, "components": document["components"]}
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)


def test_every_body_of_a_request_has_a_valid_example(document):
    names = set()
    for operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            (example,) = examples_of(document, content)
            check(document, content["schema"], example)
            names.add(operation["operationId"])
    assert names == set(examples.REQUESTS)


def test_the_main_responses_have_a_valid_example(document):
    names = set()
    responses = [each for one in operations(document) for each in one["responses"].values()]
    for response in [*responses, *document["components"]["responses"].values()]:
        for content in response.get("content", {}).values():
            for example in examples_of(document, content):
                check(document, content["schema"], example)
            names |= set(content.get("examples", {}))
            names.add(content["schema"].get("items", {}).get("$ref", "").rpartition("/")[2])
    assert set(examples.RESPONSES) <= names


@pytest.mark.parametrize("name", examples.RESPONSES)
def test_an_example_has_only_fields_of_its_schema(document, name):
    schema = document["components"]["schemas"][name]
    assert set(examples.RESPONSES[name]) <= set(schema["properties"])


def test_no_example_has_the_secret_of_a_token(document):
    assert "spt_" not in json.dumps(document)
    assert "token" not in examples.RESPONSES["Token"]


@pytest.mark.parametrize(
    ("path", "operation", "status"),
    [
        ("/api/test-runs", "createRun", 201),
        ("/api/test-runs:batch", "createRuns", 200),
        ("/api/test-runs:missing", "listMissingRuns", 200),
        ("/api/test-definitions", "createDefinition", 201),
        ("/api/test-executors", "createExecutor", 201),
        ("/api/tokens", "createToken", 201),
        ("/api/apply", "applyDocuments", 200),
    ],
)
def test_the_api_takes_the_example(client, path, operation, status):
    response = client.post(path, json=examples.REQUESTS[operation])
    answered(response, status)
    assert "Warning" not in response.headers


def test_the_example_of_a_report_ends_a_run(client):
    run = answered(client.post("/api/test-runs", json=adhoc()), 201)
    url, body = f"/api/test-runs/{run['id']}", examples.REQUESTS["reportRun"]
    log = {"data": b"x" * body["log"]["bytes"], "content_type": "application/octet-stream"}
    answered(client.put(f"{url}/logs/test?offset=0", **log), 200)
    ended = answered(client.put(f"{url}/report", json=body), 200)
    shown = examples.RESPONSES["Run"]
    assert (ended["failure"], ended["log"]) == (shown["failure"], shown["log"])


def test_all_examples_are_on_the_page(client):
    page = html.unescape(client.get("/api/docs").get_data(as_text=True))
    for value in (*examples.REQUESTS.values(), *examples.RESPONSES.values()):
        text = value if isinstance(value, str) else json.dumps(value, indent=2)
        assert text in page
    for value in examples.STREAMS.values():
        assert value.strip() in page
