"""The commands token create, list and revoke, and what a token without the scope cannot do."""

import json
import re

import pytest

from sparktest.cli.exits import Exit
from sparktest.client import ApiClient
from sparktest.domain import Scope
from tests.cli.conftest import Cli


def test_create_prints_the_token_and_nothing_else(cli: Cli, api: ApiClient) -> None:
    result = cli("token", "create", "ci", "--scope", "run", "--scope", "controller")

    assert (result.code, result.err) == (Exit.PASSED, "")
    assert re.fullmatch(r"spt_[0-9a-f]{32}_[0-9a-f]{64}\n", result.out)
    with ApiClient(api.url, result.out.strip()) as client:
        assert client.tokens.own().scopes == (Scope.READ, Scope.RUN, Scope.CONTROLLER)


def test_a_token_can_expire(cli: Cli, api: ApiClient) -> None:
    cli("token", "create", "week", "--scope", "read", "--expires", "7d")

    (made,) = api.tokens.list()
    assert made.expires_at
    assert 6.9 < (made.expires_at - made.created_at).total_seconds() / 86400 <= 7
    assert "in 6d" in cli("token", "list").out
    late = cli("token", "create", "late", "--scope", "read", "--expires", "2020-01-01T00:00Z")
    assert (late.code, late.out) == (Exit.USAGE, "")
    assert "expiresAt: must be in the future" in late.err


def test_list_shows_no_secret(cli: Cli, api: ApiClient) -> None:
    secret = cli("token", "create", "ci", "--scope", "read").out.strip().rpartition("_")[2]

    for output in ("table", "wide", "json", "yaml", "name"):
        shown = cli("token", "list", "-o", output)
        assert shown.code == Exit.PASSED
        assert secret not in shown.out
    (shown,) = json.loads(cli("token", "list", "-o", "json").out)
    assert shown["name"] == "ci"
    assert "token" not in shown


@pytest.mark.parametrize("by", ["name", "id"])
def test_revoke_ends_a_token(cli: Cli, api: ApiClient, by: str) -> None:
    token = cli("token", "create", "ci", "--scope", "read").out.strip()

    result = cli("token", "revoke", getattr(api.tokens.list()[0], by))

    assert (result.code, result.out) == (Exit.PASSED, "")
    assert "the token ci" in result.err
    assert api.tokens.list() == ()
    assert cli("token", "revoke", "ci").code == Exit.USAGE
    with ApiClient(api.url, token) as client, pytest.raises(Exception, match="token is needed"):
        client.tokens.own()


def test_a_name_that_is_taken_is_refused(cli: Cli, api: ApiClient) -> None:
    cli("token", "create", "ci", "--scope", "read")

    again = cli("token", "create", "ci", "--scope", "read")

    assert (again.code, again.out) == (Exit.USAGE, "")
    assert "'ci' already" in again.err


def test_without_the_scope_the_message_says_what_to_do(
    cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKTEST_TOKEN", cli("token", "create", "ci", "--scope", "read").out)

    result = cli("run", "--image", "busybox:1.35")

    assert result.code == Exit.INFRA
    assert "'ci' does not have the scope run" in result.err
    assert "sparktest token create NAME --scope" in result.err
    assert len(result.err.splitlines()) == 1
    assert cli("runs").code == Exit.PASSED
