"""The page of the documentation shows the whole OpenAPI document and loads nothing."""

import html
import re

import pytest

from sparktest.api import docs_page
from tests.api.credentials import BOOTSTRAP, bearer


@pytest.fixture
def page(client) -> str:
    response = client.get("/api/docs")
    assert (response.status_code, response.mimetype) == (200, "text/html")
    return html.unescape(response.get_data(as_text=True))


@pytest.fixture
def document(client):
    return client.get("/api/openapi.json").get_json()


def test_every_operation_and_schema_has_its_place(page, document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                assert f'id="{operation["operationId"]}"' in page, (method, path)
                assert operation["summary"] in page
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in page


def test_every_link_leads_to_a_place_on_the_page_or_to_the_document(page):
    targets = set(re.findall(r'href="([^"]+)"', page))
    places = {f"#{place}" for place in re.findall(r'id="([^"]+)"', page)}
    assert targets - places == {"openapi.json"}


def test_it_runs_no_script_and_loads_nothing(client, page):
    assert not re.search(r"<script|<link|<img|@import|url\(|http://|https://|\bon\w+=", page)
    policy = client.get("/api/docs").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy


@pytest.mark.usefixtures("token_needed")
def test_page_and_document_need_no_token(client):
    assert client.get("/api/docs").status_code == 200
    assert client.get("/api/openapi.json").status_code == 200
    assert client.get("/api/test-runs").status_code == 401
    assert client.get("/api/test-runs", headers=bearer(BOOTSTRAP)).status_code == 200


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"type": ["string", "null"]}, "string or null"),
        ({"type": "array", "items": {"type": "integer"}}, "list of integer"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object of string"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"enum": ["a", "<b>"]}, "<code>a</code> | <code>&lt;b&gt;</code>"),
        ({"$ref": "#/components/schemas/Run"}, '<a href="#schema-Run">Run</a>'),
        ({}, "any"),
    ],
)
def test_types_are_named(schema, expected):
    assert docs_page.type_of(schema) == expected


def test_bounds_are_shown_as_words():
    schema = {"minLength": 0, "maxLength": 5, "minimum": 1, "default": 3}
    assert docs_page.bounds(schema) == "at least 1, at most 5 characters, default 3"


def test_what_is_between_backticks_is_code():
    assert (
        docs_page.prose("send `a<b>` & `c`.")
        == "send <code>a&lt;b&gt;</code> &amp; <code>c</code>."
    )


def test_no_description_shows_its_backticks(page):
    shown = re.sub(r' title="[^"]*"', "", page)
    assert "`" not in shown
