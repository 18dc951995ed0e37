"""Request bodies: field errors, unknown fields, and size limits."""

import io

import pytest
from flask import Request
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.test import EnvironBuilder

from sparktest.api.parsing import (
    MAX_BODY_BYTES,
    field_errors,
    pointer,
    read_body,
    read_json,
    replace_nul,
    unknown_fields,
)
from sparktest.api.resource_schemas import DefinitionInputSchema
from sparktest.errors import InvalidError, MalformedError, TooLargeError


def request(
    body: bytes, *, chunked: bool = False, content_type="application/json", encoding=None
) -> Request:
    headers = [("Content-Encoding", encoding)] if encoding else []
    builder = EnvironBuilder(method="POST", data=body, content_type=content_type, headers=headers)
    environ = builder.get_environ()
    if chunked:
        del environ["CONTENT_LENGTH"]
        environ |= {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True}
    return Request(environ)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_and_never_truncated(chunked):
    assert read_body(request(b"12345", chunked=chunked), 5) == b"12345"
    with pytest.raises(TooLargeError):
        read_body(request(b"123456", chunked=chunked), 5)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_json_body_over_the_limit_is_refused(chunked):
    body = b'{"a": "' + b"x" * MAX_BODY_BYTES + b'"}'
    with pytest.raises(TooLargeError):
        read_json(request(body, chunked=chunked))


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br", "identity, gzip"])
def test_a_compressed_body_is_refused(encoding):
    with pytest.raises(UnsupportedMediaType, match="Content-Encoding"):
        read_json(request(b"{}", encoding=encoding))


def test_a_body_may_say_that_it_is_not_compressed():
    assert read_json(request(b'{"a": 1}', encoding="Identity")) == {"a": 1}


def test_an_empty_body_is_an_empty_object_unless_a_body_is_required():
    assert read_json(request(b"")) == {}
    with pytest.raises(InvalidError, match="a body is needed"):
        read_json(request(b""), required=True)


@pytest.mark.parametrize(
    ("body", "error"),
    [(b"{", MalformedError), (b"[]", InvalidError), (b'{"a": "\\u0000"}', InvalidError)],
)
def test_a_body_that_is_not_a_storable_object_is_refused(body, error):
    with pytest.raises(error):
        read_json(request(body))


def test_a_body_of_another_type_is_refused():
    with pytest.raises(UnsupportedMediaType):
        read_json(request(b"{}", content_type="text/plain"))


def test_nul_is_replaced_in_keys_and_values_at_any_depth():
    assert replace_nul({"a\0": ["b\0", 1, None]}) == {"a\ufffd": ["b\ufffd", 1, None]}


def test_a_pointer_escapes_slashes_and_tildes():
    assert pointer(["a/b", "c~d", 0]) == "/a~1b/c~0d/0"


def test_errors_of_mappings_and_lists_have_the_pointer_of_the_field():
    messages = {"env": {"A-B": {"key": ["bad name"]}}, "labels": {0: ["bad"]}, "_schema": ["none"]}
    assert list(field_errors(messages)) == [
        {"pointer": "/env/A-B", "detail": "bad name"},
        {"pointer": "/labels/0", "detail": "bad"},
        {"pointer": "", "detail": "none"},
    ]


def test_unknown_fields_are_found_in_nested_objects_and_lists():
    data = {"x": 1, "envFrom": [{"y": 1}], "resources": {"z": 1}, "env": {"anything": "1"}}
    found = list(unknown_fields(DefinitionInputSchema(), data))
    assert found == ["/x", "/envFrom/0/y", "/resources/z"]


def test_a_misspelt_query_parameter_is_recognized(app):
    detail = app.test_client().get("/api/test-runs?staus=failed").json["detail"]
    assert detail == "/staus: unknown query parameter; did you mean status?"
