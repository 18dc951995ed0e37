import json

import pytest
import yaml

from sparktest.cli.config import _without_password
from sparktest.settings import Settings
from tests.cli.conftest import Cli


def test_every_setting_is_shown_with_its_source(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKTEST_NAMESPACES", "a,b")
    monkeypatch.setenv("PORT", "81")

    lines = cli("config").out.splitlines()

    assert [line.split()[0] for line in lines] == list(Settings.__struct_fields__)
    assert any(line.endswith("   a,b   (SPARKTEST_NAMESPACES)") for line in lines)
    assert any(line.endswith("   81   (PORT)") for line in lines)
    assert any(line.endswith("   info   (default)") for line in lines)


def test_json_has_values_and_sources(cli: Cli) -> None:
    document = json.loads(cli("config", "-o", "json").out)

    assert yaml.safe_load(cli("config", "-o", "yaml").out) == document
    assert document["port"] == {"value": 8080, "source": "default"}
    assert document["namespaces"] == {"value": [], "source": "default"}


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_no_secret_is_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("SPARKTEST_TOKEN", "spt_canary")
    monkeypatch.setenv("SPARKTEST_DATABASE_URL", "postgresql://me:canary@db/sparktest")

    result = cli("config", "-o", form)

    assert "canary" not in result.out + result.err
    assert "***" in result.out
    assert "postgresql://me:***@db/sparktest" in result.out


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////tmp/a@b:c/x.db", "sqlite:////tmp/a@b:c/x.db"),
        ("sqlite:///relative.db", "sqlite:///relative.db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://me@host/db?a=b", "postgresql://me@host/db?a=b"),
        ("postgresql://me:p@ss@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://:p@host", "postgresql://:***@host"),
        ("postgresql://me:p/w@host/db", "postgresql://me:***@host/db"),
        ("postgresql+psycopg://me:p?#w@host/db", "postgresql+psycopg://me:***@host/db"),
        ("postgresql://me@h/db?password=p&a=b", "postgresql://me@h/db?password=***&a=b"),
        ("postgresql://me@h/db?a=b&sslpassword=p", "postgresql://me@h/db?a=b&sslpassword=***"),
    ],
)
def test_only_the_passwords_of_a_database_url_are_hidden(url: str, shown: str) -> None:
    assert _without_password(url) == shown
