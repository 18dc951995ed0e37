import os
import re
from pathlib import Path

import pytest

from sparktest.errors import InvalidError
from sparktest.user_files import (
    Session,
    config_path,
    data_folder,
    load_session,
    read_toml,
    session_file,
    session_path,
)


def session(**fields: str) -> Session:
    return Session(**({"backend_url": "http://127.0.0.1:9/api"} | fields))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def test_paths_are_in_the_home_folder(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}

    assert config_path(environ) == tmp_path / ".config/sparktest/config.toml"
    assert data_folder(environ) == tmp_path / ".local/share/sparktest"
    assert session_path(environ) == tmp_path / ".local/share/sparktest/session.toml"


def test_paths_follow_the_xdg_variables(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_DATA_HOME": str(tmp_path / "d")}

    assert config_path(environ) == tmp_path / "c/sparktest/config.toml"
    assert session_path(environ) == tmp_path / "d/sparktest/session.toml"


def test_a_user_without_a_home_folder_gets_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)

    assert data_folder({}) == Path("/.local/share/sparktest")


def test_the_session_is_read_from_its_file(tmp_path: Path) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    assert load_session(environ) is None

    session_path(environ).parent.mkdir()
    session_path(environ).write_text('backend_url = "http://127.0.0.1:9/api"\ncluster = "u"\n')

    assert load_session(environ) == Session(backend_url="http://127.0.0.1:9/api", cluster="u")


@pytest.mark.parametrize("text", ["nonsense", 'token = "t"\n', "backend_url = 7\n"])
def test_an_invalid_session_file_is_named(tmp_path: Path, text: str) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    session_path(environ).parent.mkdir()
    session_path(environ).write_text(text)

    with pytest.raises(InvalidError, match=re.escape(str(session_path(environ)))):
        load_session(environ)


def test_a_stale_session_file_is_replaced(environ: dict[str, str]) -> None:
    data_folder(environ).mkdir(parents=True)
    session_path(environ).write_text("nonsense")
    left = session_path(environ).with_suffix(f".{os.getpid()}")
    left.write_text("half")

    with session_file(environ, session()):
        assert load_session(environ) == session()


def test_the_session_file_names_the_cluster(environ: dict[str, str]) -> None:
    whole = session(cluster="facade00-1", kubeconfig="/home/ü 😀/kube\tconfig", context='a"b')
    with session_file(environ, whole):
        assert load_session(environ) == whole

    assert load_session(environ) is None


def test_the_session_file_is_removed_after_an_error_too(environ: dict[str, str]) -> None:
    data_folder(environ).mkdir(parents=True)
    with pytest.raises(KeyError), session_file(environ, session()):
        raise KeyError

    assert not session_path(environ).exists()


def test_an_unreadable_toml_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    assert read_toml(path) == {}

    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidError, match=re.escape(str(path))):
        read_toml(path)

    with pytest.raises(InvalidError, match=f"{re.escape(str(tmp_path))}: Is a directory"):
        read_toml(tmp_path)
