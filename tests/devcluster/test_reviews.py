"""Self-subject reviews."""

import pytest

from tests.devcluster.client import Client

ALLOWED = {"allowed": True, "reason": "the token may do everything"}
AUTHORIZATION = "/apis/authorization.k8s.io/v1"


def test_the_token_allows_everything(client: Client) -> None:
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
def test_reviews_are_answered(client: Client, path: str, field: str) -> None:
    assert client.create(path, {})["status"][field]
