"""Authentication by token, and requests without one."""

import pytest

from sparktest.settings import Settings
from tests.api.requests import adhoc, answered

TOKEN = "spt_canary_0123456789"


@pytest.fixture
def guarded(client, ctx):
    ctx.settings = Settings(token=TOKEN)
    yield client
    ctx.settings = Settings(namespace="tests")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class TestToken:
    def test_a_valid_token_is_accepted(self, guarded):
        answered(guarded.get("/api/test-runs", headers=bearer(TOKEN)), 200)
        answered(guarded.post("/api/test-runs", json=adhoc(), headers=bearer(TOKEN)), 201)
        basic = {"Authorization": f"bearer  {TOKEN} ", "Host": "api:8080"}
        answered(guarded.get("/api/test-runs", headers=basic), 200)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            bearer(""),
            bearer("wrong"),
            bearer(TOKEN[:-1]),
            bearer(TOKEN + "x"),
            bearer("é"),
            {"Authorization": TOKEN},
            {"Authorization": f"Basic {TOKEN}"},
        ],
    )
    @pytest.mark.parametrize("path", ["/api/test-runs", "/nowhere"])
    def test_any_other_credential_is_refused(self, guarded, headers, path):
        response = guarded.get(path, headers=headers)
        assert TOKEN not in str(answered(response, 401))
        assert response.headers["WWW-Authenticate"].startswith("Bearer")

    def test_the_token_of_the_settings_has_the_scope_admin(self, guarded):
        run = adhoc(serviceAccountName="robot")
        answered(guarded.post("/api/test-runs", json=run), 401)
        answered(guarded.post("/api/test-runs", json=run, headers=bearer(TOKEN)), 201)

    @pytest.mark.parametrize("path", ["/livez", "/readyz", "/api/health"])
    def test_health_needs_no_token(self, guarded, path):
        answered(guarded.get(path), 200)


class TestWithoutToken:
    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"])
    def test_localhost_is_accepted(self, client, host):
        answered(client.get("/api/test-runs", headers={"Host": host}), 200)

    @pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1:80"])
    @pytest.mark.parametrize("path", ["/api/test-runs", "/api/health"])
    def test_any_other_host_is_refused(self, client, host, path):
        answered(client.get(path, headers={"Host": host}), 403)


class TestWebPages:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "http://localhost:3000"},
            {"Origin": "null"},
            {"Origin": ""},
            {"Origin": "http://["},
            {"Sec-Fetch-Site": "cross-site"},
        ],
    )
    def test_a_cross_site_request_changes_nothing(self, client, headers):
        answered(client.post("/api/test-runs", json=adhoc(), headers=headers), 403)
        assert answered(client.get("/api/test-runs", headers=headers), 200) == []

    def test_a_same_origin_request_is_accepted(self, client):
        headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
        answered(client.post("/api/test-runs", json=adhoc(), headers=headers), 201)
