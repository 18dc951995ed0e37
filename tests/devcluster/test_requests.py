"""The target and the verb of a request."""

import pytest

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.kinds import Kinds
from sparktest.devcluster.requests import Request, parse_path, verb_of

PODS = "/api/v1/namespaces/n/pods"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/pods", ("Pod", "", "", "")),
        (PODS, ("Pod", "n", "", "")),
        (f"{PODS}/a/log", ("Pod", "n", "a", "log")),
        ("/api/v1/namespaces/n", ("Namespace", "", "n", "")),
        ("/api/v1/namespaces/n/status", ("Namespace", "", "n", "status")),
        ("/apis/batch/v1/namespaces/n/jobs/a", ("Job", "n", "a", "")),
    ],
)
def test_a_path_names_a_resource(path: str, target: tuple[str, ...]) -> None:
    found = parse_path(path, Kinds())
    assert (found.kind.kind, found.namespace, found.name, found.subresource) == target


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/nope", 404),
        ("/api/v1/nopes", 404),
        ("/api/v1/pods/a", 404),
        ("/api/v1/namespaces/n/nodes/a", 404),
        (f"{PODS}/a/scale", 404),
        (f"{PODS}/a/log/b", 404),
        (f"{PODS}/a/exec", 405),
    ],
)
def test_an_unknown_path_is_rejected(path: str, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        parse_path(path, Kinds())
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        ("GET", PODS, "list"),
        ("GET", f"{PODS}/a", "get"),
        ("POST", PODS, "create"),
        ("PUT", f"{PODS}/a", "update"),
        ("PATCH", f"{PODS}/a", "patch"),
        ("DELETE", f"{PODS}/a", "delete"),
        ("DELETE", PODS, "deletecollection"),
    ],
)
def test_method_and_path_give_the_verb(method: str, path: str, verb: str) -> None:
    assert verb_of(Request(method, path), parse_path(path, Kinds())) == verb


def test_the_parameter_watch_turns_a_list_into_a_watch() -> None:
    target = parse_path(PODS, Kinds())
    assert verb_of(Request("GET", PODS, {"watch": "1"}), target) == "watch"
    assert verb_of(Request("GET", PODS, {"watch": "false"}), target) == "list"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", f"{PODS}/a"), ("PUT", PODS), ("POST", "/api/v1/pods"), ("POST", "/api/v1/services")],
)
def test_a_verb_that_the_resource_lacks_is_rejected(method: str, path: str) -> None:
    with pytest.raises(StatusError) as caught:
        verb_of(Request(method, path), parse_path(path, Kinds()))
    assert caught.value.code == 405
