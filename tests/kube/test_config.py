import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.config import incluster_config

from sparktest.devcluster.credentials import write_kubeconfig
from sparktest.errors import ForbiddenError, InvalidError
from sparktest.kube import config
from sparktest.kube.cluster import Cluster
from sparktest.settings import DEVCLUSTER_CONTEXT, Settings

IN_POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
CONTEXT = "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def _home_without_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", *IN_POD):
        monkeypatch.delenv(name, raising=False)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def kubeconfig(path: Path, *names: str, **cluster: Any) -> str:
    """Write a kubeconfig with these contexts, of which the first is current; return its path."""
    document = {
        "current-context": names[0],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "u"}} for name in names],
        "clusters": [
            {"name": name, "cluster": {"server": f"https://{name}:6443", **cluster}}
            for name in names
        ],
        "users": [{"name": "u", "user": {"token": "very-secret"}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(path)


def cluster(field: str) -> str:
    """Return a kubeconfig whose cluster entry has this malformed field."""
    return CONTEXT + (
        f"clusters: [{{name: c, cluster: {{server: 'https://c', {field}}}}}]\n"
        "users: [{name: u, user: {token: very-secret}}]"
    )


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def host(environ: dict[str, str], **settings: Any) -> str:
    with environment(environ):
        return str(config.load(Settings(**settings)).host)


def test_the_setting_precedes_the_variable_which_precedes_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = kubeconfig(tmp_path / "given", "given")
    variable = {"KUBECONFIG": kubeconfig(tmp_path / "variable", "variable")}
    kubeconfig(tmp_path / "home" / ".kube" / "config", "home")
    assert host(variable, kubeconfig=given) == "https://given:6443"
    assert host(variable) == "https://variable:6443"
    assert host({}) == "https://home:6443"
    assert host({"KUBECONFIG": "", **IN_POD}) == "https://home:6443"


def test_a_context_is_selected_by_name(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "c", "one", "two")
    assert host({}, kubeconfig=file, context="two") == "https://two:6443"


def test_several_files_are_merged_and_the_first_current_context_counts(tmp_path: Path) -> None:
    first = kubeconfig(tmp_path / "1", "one")
    second = kubeconfig(tmp_path / "2", "two")
    absent = str(tmp_path / "absent")
    environ = {"KUBECONFIG": os.pathsep.join([absent, first, second])}
    assert host(environ) == "https://one:6443"
    assert host(environ, context="two") == "https://two:6443"


def test_the_selected_kubeconfig_has_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = kubeconfig(tmp_path / "c", "one", "two")
    monkeypatch.chdir(tmp_path)
    assert config.selected(Settings(kubeconfig="c")) == (file, "one")
    with environment({"KUBECONFIG": file}):
        assert config.selected(Settings(context="two")) == (file, "two")
    several = os.pathsep.join([file, kubeconfig(tmp_path / "d", "three")])
    with environment({"KUBECONFIG": several}):
        assert config.selected(Settings()) == (None, "one")
    with environment(IN_POD):
        assert config.selected(Settings()) == (None, None)
    with pytest.raises(InvalidError, match="no context is called 'x'"):
        config.selected(Settings(kubeconfig=file, context="x"))


def test_the_client_does_not_retry_and_keeps_connections_alive(tmp_path: Path) -> None:
    loaded = config.load(Settings(kubeconfig=kubeconfig(tmp_path / "c", "one")))
    assert loaded.retries is False
    assert loaded.keep_alive is True


def test_the_error_for_a_missing_configuration_explains_how_to_give_one() -> None:
    with pytest.raises(InvalidError, match=r"--kubeconfig .*KUBECONFIG.*inside a pod"):
        config.load(Settings())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    with pytest.raises(InvalidError, match=f"kubeconfig: there is no file {absent}"):
        config.load(Settings(kubeconfig=absent))
    with pytest.raises(InvalidError, match=f"KUBECONFIG: there is no file {absent}"):
        host({"KUBECONFIG": absent, **IN_POD})


def test_the_error_for_an_unknown_context_lists_the_contexts(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "c", "one", "two")
    with pytest.raises(InvalidError, match=r"no context is called 'three'.*--context: one, two"):
        config.load(Settings(kubeconfig=file, context="three"))


def test_a_context_without_a_kubeconfig_is_never_the_cluster_of_the_pod() -> None:
    with pytest.raises(InvalidError, match="no Kubernetes configuration found"):
        host(IN_POD, context="one")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty or not a kubeconfig"),
        ("- a", "is empty or not a kubeconfig"),
        ("a: [", "is not YAML"),
        ("a: \x00", "is not YAML"),
        ("current-context: a", "no context is called 'a'"),
        ("contexts: 7\ncurrent-context: a", "no context is called 'a'"),
        ("{}", "no current context"),
        (CONTEXT, "names no cluster"),
        (CONTEXT.replace("cluster: c", "cluster: [c]"), "names no cluster"),
        (CONTEXT + "clusters: [{name: c}, 7, {name: d, cluster: {}}]", "names no cluster"),
        (CONTEXT + "clusters: [{name: c, cluster: {}}]", r"not an http\(s\):// URL"),
        (CONTEXT + "clusters: [{name: c, cluster: {server: 7}}]", r"not an http\(s\):// URL"),
        (cluster("x: 1").replace("https://c", "https://[c"), r"not an http\(s\):// URL"),
        (cluster("certificate-authority: absent"), "context 'a' cannot be used"),
        (cluster("certificate-authority-data: a"), "context 'a' cannot be used"),
        (cluster("x: 1") + "}, 7", "is not YAML"),
        (cluster("x: 1").replace("name: u", "nome: u"), "context 'a' cannot be used"),
        (cluster("x: 1").replace("token", "client-key-data"), "context 'a' cannot be used"),
    ],
)
def test_a_malformed_kubeconfig_is_an_error_that_does_not_quote_it(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "config"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidError, match=message) as caught:
        config.load(Settings(kubeconfig=str(file)))
    assert str(file) in str(caught.value)
    assert "very-secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("proxy", ["ftp://user:very-secret@proxy", "http://[very-secret"])
def test_an_invalid_proxy_is_an_error_that_does_not_quote_its_password(
    tmp_path: Path, proxy: str
) -> None:
    file = kubeconfig(tmp_path / "c", "one", **{"proxy-url": proxy})
    with pytest.raises(InvalidError, match="proxy-url") as caught:
        Cluster.connect(Settings(kubeconfig=file))
    assert "very-secret" not in "".join(traceback.format_exception(caught.value))


def test_a_pod_uses_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("pod-token", encoding="utf-8")
    (tmp_path / "ca.crt").write_text("certificate", encoding="utf-8")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    with environment(IN_POD):
        loaded = config.load(Settings())
    assert loaded.host == "https://10.0.0.1:443"
    assert loaded.auth_settings()["BearerToken"]["value"] == "bearer pod-token"


def test_the_error_in_a_pod_without_a_service_account_names_the_field_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "absent"))
    with environment(IN_POD), pytest.raises(InvalidError, match="automountServiceAccountToken"):
        config.load(Settings())


def test_the_proxy_of_the_environment_is_used_except_for_loopback_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")

    def proxy(*names: str, **cluster: Any) -> str | None:
        file = kubeconfig(tmp_path / "c", *names, **cluster)
        found: str | None = config.load(Settings(kubeconfig=file)).proxy
        return found

    assert proxy("remote") == "http://proxy:3128"
    assert proxy("127.0.0.1") is None
    assert proxy("localhost") is None
    assert proxy("[::1]") is None
    assert proxy("127.0.0.1", **{"proxy-url": "http://tunnel:1"}) == "http://tunnel:1"


def test_a_dev_cluster_requires_a_token(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", DEVCLUSTER_CONTEXT, "other")
    with pytest.raises(ForbiddenError, match="SPARKTEST_TOKEN"):
        config.require_devcluster_token(Settings(kubeconfig=path))
    with pytest.raises(ForbiddenError), environment({"KUBECONFIG": path}):
        config.require_devcluster_token(Settings())
    for allowed in (
        Settings(kubeconfig=path, token="t"),
        Settings(kubeconfig=path, context="other"),
        Settings(kubeconfig=str(tmp_path / "none")),
        Settings(),
    ):
        config.require_devcluster_token(allowed)


def test_a_dev_cluster_is_recognized_by_its_kubeconfig(tmp_path: Path) -> None:
    ca = tmp_path / "ca"
    ca.write_bytes(b"")
    write_kubeconfig(tmp_path / "k", "https://127.0.0.1:1", ca, "secret")
    with pytest.raises(ForbiddenError):
        config.require_devcluster_token(Settings(kubeconfig=str(tmp_path / "k")))
