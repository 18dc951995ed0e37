"""The command db."""

from pathlib import Path

import pytest

from sparktest.api.store.tables import REVISION
from tests.cli.conftest import Cli


def test_the_database_is_upgraded(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"

    new = cli("db", "current", "--database-url", url)
    assert (new.code, new.out) == (0, "")
    assert "has no schema yet" in new.err
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


@pytest.fixture
def url(cli: Cli, tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'x.db'}"
    cli("db", "upgrade", "--database-url", made)
    return made


def test_the_sizes_of_all_tables_are_printed(cli: Cli, url: str) -> None:
    result = cli("db", "size", "--database-url", url)

    assert result.code == 0
    assert result.out.startswith(f"revision {REVISION}, 0.")
    assert "test_runs                           0 rows " in result.out


def test_a_backup_is_a_whole_database_that_only_the_user_can_read(
    cli: Cli, url: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"

    result = cli("db", "backup", str(copy), "--database-url", url)

    assert (result.code, result.err) == (0, "")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert cli("db", "current", "--database-url", f"sqlite:///{copy}").out == f"{REVISION}\n"
    again = cli("db", "backup", str(copy), "--database-url", url)
    assert (again.code, again.err) == (3, f"sparktest: {copy} exists; name a new file\n")


def test_a_backup_of_postgresql_names_the_command_without_the_password(cli: Cli) -> None:
    url = "postgresql://me:secret@db/s"

    result = cli("db", "backup", "x.dump", "--database-url", url)

    assert result.code == 3
    assert "pg_dump --format=custom --file=x.dump --dbname=postgresql://me@db/s" in result.err
    assert "secret" not in result.err


def test_pruning_needs_a_rule_and_says_what_it_deletes(cli: Cli, url: str) -> None:
    assert cli("db", "prune", "--database-url", url).code == 2

    result = cli("db", "prune", "--older-than", "30d", "--dry-run", "--database-url", url)

    assert (result.code, result.out) == (0, "0 runs with 0.0 MB of logs would be deleted\n")
    assert "the last hour are kept" in result.err


def test_a_database_that_does_not_exist_is_named(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    for command in (("size",), ("prune", "--keep", "1"), ("backup", str(tmp_path / "b"))):
        result = cli("db", *command, "--database-url", url)
        assert (result.code, result.err.count("\n")) == (3, 1)
        assert "there is no database" in result.err
    assert list(tmp_path.glob("*.db")) == []
