import os
import socket
from pathlib import Path

import pytest

from sparktest.cli.exits import Exit, ExitError
from sparktest.cli.up.session import free_port, local_url, new_token, single_instance
from sparktest.settings import load
from sparktest.user_files import Session, data_folder, session_file, session_path


def session(**fields: str) -> Session:
    return Session(**({"backend_url": "http://127.0.0.1:9/api", "token": "t"} | fields))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def test_other_commands_find_the_session(environ: dict[str, str]) -> None:
    old_mask = os.umask(0)
    try:
        with single_instance(environ), session_file(environ, session(token='q"\\t')) as path:
            settings = load(environ)
            assert (settings.backend_url, settings.token) == ("http://127.0.0.1:9/api", 'q"\\t')
            assert path == session_path(environ)
            assert path.stat().st_mode & 0o777 == 0o600
            assert data_folder(environ).stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(old_mask)

    assert [entry.name for entry in data_folder(environ).iterdir()] == ["up.lock"]
    assert load(environ).token is None


def test_only_one_instance_can_run(environ: dict[str, str]) -> None:
    with single_instance(environ), session_file(environ, session()):
        with (
            pytest.raises(ExitError, match=r"running already, .* http://127.0.0.1:9/api") as raised,
            single_instance(environ),
        ):
            pass
        assert raised.value.code is Exit.INFRA

    with single_instance(environ):
        pass


def test_a_second_up_is_refused_while_the_first_has_no_session_yet(environ: dict[str, str]) -> None:
    with (
        single_instance(environ),
        pytest.raises(ExitError, match="up is running already; open it with: sparktest tui"),
        single_instance(environ),
    ):
        pass


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(ExitError, match=f"{tmp_path}/file/sparktest: Not a directory"),
        single_instance({"XDG_DATA_HOME": str(tmp_path / "file")}),
    ):
        pass


def test_a_port_in_use_is_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = free_port(port)

        assert other != port
        assert other > 0
    assert free_port(port) == port


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ExitError, match=r"192\.0\.2\.1 is no address of this machine"):
        free_port(0, "192.0.2.1")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8"),
        ("0.0.0.0", "http://127.0.0.1:8"),
        ("::", "http://[::1]:8"),
        ("::1", "http://[::1]:8"),
        ("10.0.0.5", "http://10.0.0.5:8"),
    ],
)
def test_the_url_for_programs_of_this_machine(host: str, url: str) -> None:
    assert local_url(host, 8) == url


def test_tokens_are_long_and_unique() -> None:
    tokens = {new_token() for _ in range(100)}

    assert len(tokens) == 100
    assert all(len(token) > 40 and token.startswith("spt_") for token in tokens)
    assert all(token.isascii() and token.isprintable() for token in tokens)
