"""Limits: wrong tokens of an address, and the requests of a token."""

import pytest

from sparktest.api import auth
from sparktest.api.rate_limit import RateLimit
from sparktest.domain import Scope
from tests.api.credentials import BOOTSTRAP, bearer, issue
from tests.api.requests import answered

ROOT = bearer(BOOTSTRAP)
HERE = "10.0.0.1"

pytestmark = pytest.mark.usefixtures("token_needed")


def get(client, token, address=HERE, path="/api/test-runs"):
    headers = bearer(token) if token else {}
    return client.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": address})


@pytest.fixture
def guessing(client, ctx, token_needed):
    """An address that has sent as many wrong tokens as are allowed."""
    ctx.wrong_tokens = RateLimit(3, 60.0)
    for _ in range(3):
        answered(get(client, "spt_wrong"), 401)


@pytest.mark.usefixtures("guessing")
class TestWrongTokens:
    def test_after_some_the_answer_is_429(self, client):
        response = get(client, "spt_other")
        answered(response, 429)
        assert 1 <= int(response.headers["Retry-After"]) <= 20

    def test_then_not_even_the_right_token_of_the_settings_is_confirmed(self, client, ctx):
        ctx.bootstrap_used = False
        answered(get(client, BOOTSTRAP), 429)
        answered(get(client, BOOTSTRAP, "10.0.0.2"), 200)

    def test_tokens_that_are_known_stay_valid(self, client):
        answered(get(client, BOOTSTRAP, "10.0.0.2"), 200)
        answered(get(client, BOOTSTRAP), 200)
        answered(get(client, issue(client, Scope.READ)["token"]), 200)

    def test_health_stays_free_and_no_token_is_401(self, client):
        for path in ("/livez", "/readyz", "/api/health"):
            answered(get(client, None, path=path), 200)
        answered(get(client, None), 401)


def test_ipv6_is_counted_by_network(client, ctx):
    ctx.wrong_tokens = RateLimit(1, 60.0)
    answered(get(client, "spt_wrong", "2001:db8::1"), 401)
    answered(get(client, "spt_wrong", "2001:db8::ffff"), 429)
    answered(get(client, "spt_wrong", "2001:db8:0:1::1"), 401)


class TestRequests:
    def test_a_token_has_a_limit_of_its_own(self, client, ctx):
        busy, other = (issue(client, Scope.READ)["token"] for _ in range(2))
        ctx.requests = RateLimit(2, 60.0)
        assert [get(client, busy).status_code for _ in range(3)] == [200, 200, 429]
        response = get(client, busy)
        assert "SPARKTEST_TOKEN_REQUESTS_PER_MINUTE" in answered(response, 429)["detail"]
        assert int(response.headers["Retry-After"]) >= 1
        answered(get(client, other), 200)

    def test_controllers_and_the_token_of_the_settings_have_none(self, client, ctx):
        token = issue(client, Scope.CONTROLLER)["token"]
        ctx.requests = RateLimit(1, 60.0)
        for _ in range(3):
            answered(get(client, token), 200)
            answered(get(client, BOOTSTRAP), 200)

    def test_a_request_whose_body_is_read_later_counts_once(self, client, ctx):
        token = issue(client, Scope.READ)["token"]
        ctx.requests = RateLimit(1, 60.0)
        early = {"headers": bearer(token), "environ_overrides": {auth.BODY_FOLLOWS: True}}
        for _ in range(2):
            answered(client.get("/api/test-runs", **early), 200)
        answered(get(client, token), 200)
        answered(client.get("/api/test-runs", **early), 429)

    def test_it_can_be_off(self, client, ctx):
        token = issue(client, Scope.READ)["token"]
        ctx.requests = None
        answered(get(client, token), 200)
