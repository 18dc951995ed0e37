"""The paths of resources in the API."""

import pytest

from sparktest.errors import InvalidError
from sparktest.kube.resources import JOBS, NAMESPACES, PODS, TESTRUNS, Resource


@pytest.mark.parametrize(
    ("resource", "api_version", "root"),
    [
        (PODS, "v1", "/api/v1"),
        (JOBS, "batch/v1", "/apis/batch/v1"),
        (TESTRUNS, "sparktest.dev/v1alpha1", "/apis/sparktest.dev/v1alpha1"),
    ],
)
def test_the_core_group_has_another_root(resource: Resource, api_version: str, root: str) -> None:
    assert (resource.api_version, resource.root) == (api_version, root)


def test_a_path_is_for_one_object_a_namespace_or_all_namespaces() -> None:
    assert PODS.path() == "/api/v1/pods"
    assert PODS.path("tests") == "/api/v1/namespaces/tests/pods"
    assert PODS.path("tests", "a", "log") == "/api/v1/namespaces/tests/pods/a/log"
    assert NAMESPACES.path(None, "tests") == "/api/v1/namespaces/tests"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_change_the_path_is_invalid(name: str) -> None:
    with pytest.raises(InvalidError):
        JOBS.path("tests", name)
    with pytest.raises(InvalidError):
        JOBS.path(name)


def test_a_slash_in_a_name_is_quoted() -> None:
    assert JOBS.path("tests", "a/b?c") == "/apis/batch/v1/namespaces/tests/jobs/a%2Fb%3Fc"
