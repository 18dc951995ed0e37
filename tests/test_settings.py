from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest import settings
from sparktest.errors import InvalidError
from sparktest.settings import Settings, api_url, load, load_with_sources
from sparktest.user_files import config_path, session_path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return an environment with a new home folder, outside of any pod."""
    monkeypatch.setattr(settings, "IN_POD_NAMESPACE", tmp_path / "no-such-file")
    return {"HOME": str(tmp_path)}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_defaults_are_used_without_any_setting(home: dict[str, str]) -> None:
    found, sources = load_with_sources(home)

    assert found == Settings(
        database_url=f"sqlite:///{home['HOME']}/.local/share/sparktest/sparktest.db"
    )
    assert set(sources) == set(Settings.__struct_fields__)
    assert set(sources.values()) == {"default"}


def test_the_source_of_highest_precedence_wins(home: dict[str, str]) -> None:
    write(
        config_path(home), 'port = 1\nhost = "c"\nlog_level = "debug"\nbackend_url = "http://c"\n'
    )
    environ = home | {"SPARKTEST_PORT": "2", "SPARKTEST_HOST": "e"}

    found, sources = load_with_sources(environ, {"port": 3, "host": None})

    assert (found.port, sources["port"]) == (3, "--port")
    assert (found.host, sources["host"]) == ("e", "SPARKTEST_HOST")
    assert found.log_level == "debug"
    assert sources["log_level"] == f"{config_path(home)}: log_level"


@pytest.mark.parametrize("field", Settings.__struct_fields__)
def test_every_setting_has_a_variable(home: dict[str, str], field: str) -> None:
    value = {
        "backend_url": "https://sparktest.example/api",
        "log_level": "error",
        "namespaces": "a, b,",
        "run_namespaces": "a, b,",
        "allowed_hosts": "a, b,",
        "cors_origins": "http://a, http://b:1,",
        "pod_security": "restricted",
        "leader_election": "on",
        "controller_metrics_bind": ":8081",
        "api_workers": "16",
    }.get(field, "17")
    lists = {
        "namespaces": ("a", "b"),
        "run_namespaces": ("a", "b"),
        "allowed_hosts": ("a", "b"),
        "cors_origins": ("http://a", "http://b:1"),
    }
    expected: Any = lists.get(field, value)
    variable = f"SPARKTEST_{field.upper()}"

    found, sources = load_with_sources(home | {variable: f" {value} "})

    assert str(getattr(found, field)) == str(expected)
    assert sources[field] == variable


@pytest.mark.parametrize(("field", "alias"), settings.ALIASES.items())
def test_an_alias_is_used_when_its_variable_is_not_set(
    home: dict[str, str], field: str, alias: str
) -> None:
    assert load_with_sources(home | {alias: "1"})[1][field] == alias
    assert str(getattr(load(home | {alias: "1", f"SPARKTEST_{field.upper()}": "2"}), field)) == "2"


def test_the_old_key_of_the_image_pull_timeout_is_still_read(home: dict[str, str]) -> None:
    old = "image_pull_patience_seconds = 5\n"
    write(config_path(home), old)
    assert load(home).image_pull_timeout_seconds == 5
    write(config_path(home), f"image_pull_timeout_seconds = 7\n{old}")
    assert load(home).image_pull_timeout_seconds == 7


def test_an_empty_variable_is_not_set(home: dict[str, str]) -> None:
    assert load(home | {"SPARKTEST_PORT": "", "SPARKTEST_TOKEN": " "}) == load(home)


def test_the_variable_that_kubernetes_sets_for_a_service_is_not_a_port(
    home: dict[str, str],
) -> None:
    assert load(home | {"SPARKTEST_PORT": "tcp://10.0.0.7:8080"}).port == 8080
    assert load(home | {"SPARKTEST_PORT": "tcp://10.0.0.7:8080", "PORT": "81"}).port == 81


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("SPARKTEST_PORT", "65536", "must be a port"),
        ("SPARKTEST_API_WORKERS", "0", "must be a number, 1 to 16"),
        ("PORT", "http", "must be a port"),
        ("SPARKTEST_LOG_LEVEL", "loud", "must be one of debug, info, warning, error"),
        ("SPARKTEST_DEFAULT_TIMEOUT_SECONDS", "0", "must be 1 to 2147483647 seconds"),
        ("SPARKTEST_JOB_TTL_SECONDS", "-1", "must be 0 to 2147483647 seconds"),
        ("SPARKTEST_JOB_TTL_SECONDS", "2147483648", "must be 0 to 2147483647 seconds"),
        ("SPARKTEST_IMAGE_PULL_TIMEOUT_SECONDS", "0", "must be 1 to"),
        ("SPARKTEST_POD_SECURITY", "strict", "must be one of baseline, restricted"),
        ("SPARKTEST_CONTROLLER_METRICS_BIND", "8081", "must be off, or an address"),
        ("SPARKTEST_LEADER_ELECTION", "yes", "must be one of auto, on, off"),
        ("SPARKTEST_LEADER_ELECTION_NAMESPACE", "Team_A", "must be the name of a namespace"),
        ("SPARKTEST_NAMESPACE", "Team_A", "must be the name of a namespace"),
        ("SPARKTEST_NAMESPACES", "a,../b", "must be names of namespaces"),
        ("SPARKTEST_RUN_NAMESPACES", "a,B", "must be names of namespaces"),
        ("SPARKTEST_TOKEN", "two words", "must be printable ASCII"),
        ("SPARKTEST_ALLOWED_HOSTS", "https://ci.example.org", "must be names of hosts"),
        ("SPARKTEST_ALLOWED_HOSTS", "ci.example.org:443", "must be names of hosts"),
        ("SPARKTEST_CORS_ORIGINS", "*", "must be origins"),
        ("SPARKTEST_CORS_ORIGINS", "https://ci.example.org/", "must be origins"),
        ("SPARKTEST_TOKEN_REQUESTS_PER_MINUTE", "-1", "must be 0"),
        ("SPARKTEST_TOKEN", "line\nbreak", "must be printable ASCII"),
        ("SPARKTEST_BACKEND_URL", "localhost:8080", "is not an http:// or https:// URL"),
    ],
)
def test_an_invalid_variable_is_named(
    home: dict[str, str], variable: str, value: str, rule: str
) -> None:
    with pytest.raises(InvalidError, match=f"^{variable}: .*{rule}"):
        load(home | {variable: value})


def test_an_invalid_flag_is_named(home: dict[str, str]) -> None:
    with pytest.raises(InvalidError, match=r"^--job-ttl-seconds: must be"):
        load(home, {"job_ttl_seconds": -5})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prot = 1", "there is no setting 'prot'; the settings are backend_url, token"),
        ("port = 'x", "Illegal character|Expected"),
        ("host = 7", "Expected `str`, got `int`"),
        ("namespaces = 7", "must be names of namespaces"),
    ],
)
def test_an_invalid_config_file_is_named(home: dict[str, str], text: str, problem: str) -> None:
    write(config_path(home), text)

    with pytest.raises(InvalidError, match=problem) as raised:
        load(home)

    assert str(config_path(home)) in raised.value.detail


# --- the token and the session --------------------------------------------------------------------


def test_the_token_can_be_in_a_file(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("spt_a_b\n")
    environ = home | {"SPARKTEST_TOKEN_FILE": str(tmp_path / "token")}

    assert load(environ).token == "spt_a_b"
    assert load_with_sources(environ)[1]["token"] == "SPARKTEST_TOKEN_FILE"
    assert load(environ | {"SPARKTEST_TOKEN": "spt_c_d"}).token == "spt_c_d"


def test_an_unreadable_token_file_is_named(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff")
    for path, problem in ((tmp_path / "no", "No such file"), (tmp_path / "token", "not ASCII")):
        with pytest.raises(InvalidError, match=f"SPARKTEST_TOKEN_FILE: {path}: .*{problem}"):
            load(home | {"SPARKTEST_TOKEN_FILE": str(path)})


def test_address_and_token_come_from_the_session_of_up(home: dict[str, str]) -> None:
    write(session_path(home), 'backend_url = "http://127.0.0.1:9/api"\ntoken = "spt_s_s"\n')

    found, sources = load_with_sources(home)

    assert (found.backend_url, found.token) == ("http://127.0.0.1:9/api", "spt_s_s")
    assert sources["backend_url"] == sources["token"] == str(session_path(home))


def test_a_program_that_is_no_client_of_the_session_does_not_have_its_token(
    home: dict[str, str],
) -> None:
    write(session_path(home), 'backend_url = "http://127.0.0.1:9/api"\ntoken = "spt_s_s"\n')

    assert load(home, session=False).token is None


def test_the_token_of_the_session_is_not_used_with_another_address(home: dict[str, str]) -> None:
    write(session_path(home), 'backend_url = "http://127.0.0.1:9/api"\ntoken = "spt_s_s"\n')

    assert load(home | {"SPARKTEST_BACKEND_URL": "http://elsewhere"}).token is None
    assert load(home, {"backend_url": "http://elsewhere"}).token is None


@given(token=st.text(), password=st.text(min_size=1))
def test_neither_token_nor_password_is_in_a_repr_or_an_error(token: str, password: str) -> None:
    canary = "canary-1f0c"
    environ = {
        "SPARKTEST_TOKEN": f"{token}{canary}",
        "SPARKTEST_DATABASE_URL": f"postgresql://u:{password}{canary}@h/db",
        "SPARKTEST_BACKEND_URL": f"http://u:{password}{canary}@h",
    }
    for names in (list(environ), ["SPARKTEST_TOKEN", "SPARKTEST_DATABASE_URL"]):
        try:
            shown = repr(load({"HOME": "/nowhere"} | {name: environ[name] for name in names}))
        except InvalidError as error:
            shown = f"{error!r} {error.detail}"
        assert canary not in shown


# --- the namespace and the URL of the API ---------------------------------------------------------


def test_the_namespace_of_the_pod_is_the_default(
    home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "namespace", "team-a\n")
    monkeypatch.setattr(settings, "IN_POD_NAMESPACE", tmp_path / "namespace")

    assert load(home).namespace == "team-a"
    assert load(home | {"SPARKTEST_NAMESPACE": "team-b"}).namespace == "team-b"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h", "http://h/api"),
        ("http://h:8080/", "http://h:8080/api"),
        ("https://h/base/api/", "https://h/base/api"),
        ("http://[::1]:8080", "http://[::1]:8080/api"),
    ],
)
def test_api_is_appended_to_the_url_once(url: str, expected: str) -> None:
    assert api_url(url) == api_url(api_url(url)) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "ftp://h",
        "http://",
        "http://[::1",
        "http://h:port",
        "http://h:0",
        "http://h:99999",
        "http://h/?x=1",
        "http://h/#x",
        "http://user:pass@h",
    ],
)
def test_an_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(InvalidError) as raised:
        api_url(url)

    assert "pass" not in raised.value.detail
