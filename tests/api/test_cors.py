"""Cross-origin requests: off by default, and only for the origins of the settings."""

import pytest

from sparktest.settings import Settings
from tests.api.credentials import BOOTSTRAP, bearer
from tests.api.requests import adhoc, answered

ORIGIN = "https://ci.example.org"
ASK = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
ROOT = bearer(BOOTSTRAP)


@pytest.fixture
def listed(client, ctx):
    """A client of an API that lists an origin."""
    ctx.settings = Settings(token=BOOTSTRAP, namespace="tests", cors_origins=(ORIGIN,))
    yield client
    ctx.settings = Settings(namespace="tests")


def allowed(response):
    return response.headers.get("Access-Control-Allow-Origin")


@pytest.mark.usefixtures("token_needed")
def test_it_is_off_by_default(client):
    answered(client.options("/api/test-runs", headers=ASK), 401)
    response = client.get("/api/test-runs", headers=ROOT | {"Origin": ORIGIN})
    assert answered(response, 200) == []
    assert allowed(response) is None
    assert "Origin" not in response.headers.get("Vary", "")


def test_a_preflight_of_a_listed_origin_needs_no_token(listed):
    response = listed.options("/api/test-runs", headers=ASK)
    assert (response.status_code, response.data) == (204, b"")
    assert allowed(response) == ORIGIN
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    for header in ("Authorization", "If-Match", "Idempotency-Key"):
        assert header in response.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "headers",
    [
        ASK | {"Origin": "https://evil.example"},
        ASK | {"Origin": f"{ORIGIN}.evil.example"},
        ASK | {"Origin": "null"},
        {"Origin": ORIGIN},
        {},
    ],
)
def test_any_other_preflight_needs_a_token(listed, headers):
    response = listed.options("/api/test-runs", headers=headers)
    assert response.status_code == 401
    assert "Access-Control-Allow-Methods" not in response.headers


def test_a_page_of_a_listed_origin_reads_and_writes_with_a_token(listed):
    headers = ROOT | {"Origin": ORIGIN.upper(), "Sec-Fetch-Site": "cross-site"}
    response = listed.post("/api/test-runs", json=adhoc(), headers=headers)
    answered(response, 201)
    assert allowed(response) == ORIGIN.upper()
    exposed = response.headers["Access-Control-Expose-Headers"]
    assert all(name in exposed for name in ("Link", "Location", "ETag"))
    assert "Origin" in response.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_it_reads_errors_too(listed):
    response = listed.get("/api/test-runs", headers={"Origin": ORIGIN})
    answered(response, 401)
    assert allowed(response) == ORIGIN


def test_pages_of_other_origins_still_write_nothing(listed):
    headers = ROOT | {"Origin": "https://evil.example"}
    response = listed.post("/api/test-runs", json=adhoc(), headers=headers)
    answered(response, 403)
    assert allowed(response) is None
    assert answered(listed.get("/api/test-runs", headers=ROOT), 200) == []
