"""Which names the API answers to, and which pages of web sites may write."""

import socket

import pytest

from sparktest.api.hosts import is_loopback, is_served
from sparktest.settings import Settings
from tests.api.credentials import BOOTSTRAP, bearer
from tests.api.requests import adhoc, answered

ROOT = bearer(BOOTSTRAP)
SETTINGS = Settings(token=BOOTSTRAP, host="api.corp.example", allowed_hosts=("CI.example.org",))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("localhost.", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("127.0.0.1.nip.io", False),
        ("2130706433", False),
    ],
)
def test_only_addresses_of_this_machine_are_loopback(host, loopback):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("host", "served"),
    [
        ("10.1.2.3", True),
        ("fd00::1", True),
        ("sparktest-api", True),
        ("sparktest-api.prod.svc", True),
        ("sparktest-api.prod.svc.cluster.local", True),
        ("api.corp.example", True),
        ("ci.example.org", True),
        (socket.gethostname().lower(), True),
        ("", False),
        ("evil.example", False),
        ("ci.example.org.evil.example", False),
        ("svc.evil.example", False),
        ("sub.ci.example.org", False),
        ("10.1.2.3.nip.io", False),
    ],
)
def test_a_name_that_a_web_site_can_have_must_be_in_the_settings(host, served):
    assert is_served(host, SETTINGS) is served
    assert is_served(host, Settings(token=BOOTSTRAP, allowed_hosts=("*",)))


@pytest.mark.usefixtures("token_needed")
class TestHost:
    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "evil.example.", "["])
    @pytest.mark.parametrize("path", ["/api/test-runs", "/livez", "/nowhere"])
    def test_a_foreign_host_is_refused_also_with_a_token(self, client, host, path):
        detail = answered(client.get(path, headers=ROOT | {"Host": host}), 403)["detail"]
        assert "SPARKTEST_ALLOWED_HOSTS" in detail

    def test_a_host_of_the_settings_is_accepted(self, client, ctx):
        ctx.settings = SETTINGS
        for host in ("ci.example.org", "CI.Example.org:443", "ci.example.org."):
            answered(client.get("/api/test-runs", headers=ROOT | {"Host": host}), 200)

    def test_an_origin_equal_to_a_foreign_host_does_not_help(self, client):
        headers = ROOT | {"Host": "evil.example", "Origin": "http://evil.example"}
        answered(client.post("/api/test-runs", json=adhoc(), headers=headers), 403)
