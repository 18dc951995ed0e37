import json
from typing import Any

import pytest

from sparktest.errors import GoneError, InvalidError, NotFoundError, RateLimitedError
from sparktest.kube.status import error_from_response, error_from_status, root_cause


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"Retry-After": "7"}, {"retryAfterSeconds": 9}, 7.0),
        ({}, {"retryAfterSeconds": 9}, 9.0),
        ({"Retry-After": "86400"}, {}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, None),
        ({"Retry-After": "-1"}, {"retryAfterSeconds": "soon"}, None),
        ({"Retry-After": "nan"}, {}, None),
    ],
)
def test_retry_after_comes_from_the_header_or_the_status(
    headers: dict[str, str], details: dict[str, Any], seconds: float | None
) -> None:
    body = json.dumps({"message": "slow down", "details": details}).encode()
    error = error_from_response(429, headers, body)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == seconds


def test_the_causes_name_their_fields() -> None:
    causes = [
        {"field": "spec.template.spec", "message": "Required value"},
        {"reason": "NamespaceTerminating", "message": "is being terminated"},
        "no cause",
    ]
    error = error_from_status({"code": 422, "message": "invalid", "details": {"causes": causes}})
    assert isinstance(error, InvalidError)
    assert error.errors == (
        {"pointer": "/spec/template/spec", "detail": "Required value"},
        {"pointer": "/", "detail": "is being terminated"},
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>\nnginx", "<html>"),
        (b"404 page not found\n", "404 page not found"),
        (b"", "HTTP 404"),
        (b"[1]", "HTTP 404"),
        (b'{"message": 7, "details": [], "code": "x"}', "7"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_a_body_that_is_not_a_status_object_still_has_a_message(body: bytes, message: str) -> None:
    error = error_from_response(404, {}, body)
    assert isinstance(error, NotFoundError)
    assert error.detail == message


@pytest.mark.parametrize("given", [{"code": 410}, {"code": 410, "details": None}])
def test_a_status_object_has_its_own_code(given: Any) -> None:
    assert isinstance(error_from_status(given), GoneError)


@pytest.mark.parametrize("given", [None, {}, {"code": "x"}, {"code": 200}])
def test_a_status_object_without_an_error_code_is_a_server_error(given: Any) -> None:
    assert error_from_status(given).retryable


def test_the_root_cause_is_the_message_of_the_innermost_error_on_one_line() -> None:
    error = ValueError("wrapped")
    error.__cause__ = OSError("connection\nrefused")
    assert root_cause(error) == "connection refused"
    assert root_cause(ConnectionRefusedError(111, "Connection refused")) == "connection refused"
    assert root_cause(FileNotFoundError(2, "No such file", "/ca")) == (
        "[Errno 2] No such file: '/ca'"
    )
    assert root_cause(KeyError()) == "KeyError"
