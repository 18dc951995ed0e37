"""The command db."""

from pathlib import Path

import pytest

from sparktest.api.store.tables import REVISION
from tests.cli.conftest import Cli


def test_the_database_is_upgraded(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"

    assert cli("db", "current", "--database-url", url).code == 0
    upgraded = cli("db", "upgrade", "--database-url", url)

    assert (upgraded.code, upgraded.out) == (0, f"{REVISION}\n")
    assert cli("db", "current", "--database-url", url).out == f"{REVISION}\n"


def test_the_database_is_downgraded_to_a_known_revision(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    cli("db", "upgrade", "--database-url", url)

    unknown = cli("db", "downgrade", "12", "--database-url", url)

    assert (unknown.code, unknown.out) == (3, "")
    assert "there is no revision '12'; use one of: base, 0001" in unknown.err
    assert cli("db", "downgrade", "0003", "--database-url", url).out == "0003\n"
    assert cli("db", "current", "--database-url", url).out == "0003\n"


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://h/db", "sqlite:////dev/null/x.db"], ids=lambda url: url[:6]
)
def test_an_invalid_database_url_is_3_and_one_line(cli: Cli, url: str) -> None:
    result = cli("db", "upgrade", "--database-url", url)

    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("sparktest: ")
    assert result.err.count("\n") == 1
