import inspect

import pytest

from sparktest import errors
from sparktest.errors import (
    BY_STATUS,
    InvalidError,
    MalformedError,
    SparkTestError,
    UnavailableError,
    for_status,
)

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, SparkTestError)
]


def test_the_module_docstring_has_every_class_with_its_status() -> None:
    documented = {}
    for line in (errors.__doc__ or "").splitlines():
        name, *rest = line.strip("│├└─ ").split()[:2] or [""]
        if name.endswith("Error"):
            documented[name] = int(rest[0])

    assert documented == {found.__name__: found.status for found in CLASSES}


# SparkTestError itself is a bug of the server, which its clients see as UnavailableError.
@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind is not SparkTestError])
def test_every_class_has_a_class_for_its_status(kind: type[SparkTestError]) -> None:
    assert issubclass(kind, for_status(kind.status))
    assert for_status(kind.status).status == kind.status


@pytest.mark.parametrize("status", range(400, 600))
def test_every_error_status_has_a_class_and_only_429_and_5xx_are_retryable(status: int) -> None:
    kind = for_status(status)

    assert kind is BY_STATUS.get(status, InvalidError if status < 500 else UnavailableError)
    assert kind.retryable == (status == 429 or status >= 500)


def test_an_error_at_a_field_names_it() -> None:
    error = MalformedError.at("/image", "is needed")

    assert type(error) is MalformedError
    assert str(error) == error.detail == "/image: is needed"
    assert error.errors == ({"pointer": "/image", "detail": "is needed"},)
    assert error.retry_after is None
