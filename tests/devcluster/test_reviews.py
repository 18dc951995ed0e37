"""Questions about oneself."""

import pytest

from tests.devcluster.client import Client

ALLOWED = {"allowed": True, "reason": "the token may do everything"}
AUTHORIZATION = "/apis/authorization.k8s.io/v1"


def test_everything_is_allowed_to_whom_has_the_token(client: Client) -> None:
    spec = {"resourceAttributes": {"verb": "create", "resource": "pods"}}
    answer = client.create(f"{AUTHORIZATION}/selfsubjectaccessreviews", {"spec": spec})
    assert (answer["spec"], answer["status"]) == (spec, ALLOWED)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"{AUTHORIZATION}/selfsubjectrulesreviews", "resourceRules"),
        ("/apis/authentication.k8s.io/v1/selfsubjectreviews", "userInfo"),
    ],
)
def test_who_asks_and_what_that_one_may_is_told(client: Client, path: str, field: str) -> None:
    assert client.create(path, {})["status"][field]
