"""A test client that compares every response with the OpenAPI document."""

import functools
import json
from typing import Any

import jsonschema_rs
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

ALIASES = {"/api/runs": "/api/test-runs"}
# Not of the operation: unknown methods, and faults that a test injects.
UNDOCUMENTED = (405, 500)
HEADERS = ("ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "Warning")


class DocumentedClient(FlaskClient):
    """Client of tests; a response that is not as documented fails the test."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        response = super().open(*args, **kwargs)
        check(self.application, response)
        return response


def check(app: Flask, response: Any) -> None:
    """Raise AssertionError unless status, headers and body are documented."""
    try:
        rule, _ = app.url_map.bind("localhost").match(
            response.request.path, response.request.method, return_rule=True
        )
    except HTTPException:
        return
    document = _document(app)
    path = rule.rule.translate(str.maketrans("<>", "{}")).replace("{uuid:", "{")
    for alias, real in ALIASES.items():
        if path.startswith(alias):
            path = real + path.removeprefix(alias)
    operation = document["paths"].get(path, {}).get(response.request.method.lower())
    if operation is None or response.status_code in UNDOCUMENTED:
        return
    place = f"{response.request.method} {path}: {response.status_code}"
    documented = operation["responses"].get(str(response.status_code))
    assert documented, f"{place} is not documented: {response.get_data(as_text=True)[:300]}"
    documented = _resolve(document, documented)
    sent = {name for name in HEADERS if name in response.headers}
    assert sent <= set(documented.get("headers", {})), f"{place}: undocumented headers {sent}"
    if not response.is_streamed and response.request.method != "HEAD":
        _check_body(app, response, documented.get("content", {}), place)


def _check_body(app: Flask, response: Any, content: Any, place: str) -> None:
    body = response.get_data()
    if body:
        assert response.mimetype in content, f"{place}: {response.mimetype} is not documented"
        schema = content[response.mimetype].get("schema", {})
        if response.mimetype.endswith("json"):
            _validator(json.dumps(schema), app).validate(json.loads(body))


@functools.cache
def _document(app: Flask) -> Any:
    # Not by a request, which may need a token.
    api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    return json.loads(json.dumps(api.spec.to_dict()))


@functools.cache
def _validator(schema: str, app: Flask) -> Any:
    components = _document(app)["components"]
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": components})


def _resolve(document: Any, value: Any) -> Any:
    if "$ref" in value:
        for part in value["$ref"].removeprefix("#/").split("/"):
            document = document[part]
        return document
    return value
