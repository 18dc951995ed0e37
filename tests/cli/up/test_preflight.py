import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sparktest.cli.exits import Exit, ExitError
from sparktest.cli.up import preflight
from sparktest.cli.up.preflight import check_cluster, install_command, is_reachable
from sparktest.errors import ForbiddenError, UnavailableError
from sparktest.settings import Settings
from tests.scripted_api import ScriptedApi, answer, scripted_api

KUBE_SYSTEM = answer({"metadata": {"name": "kube-system", "uid": "uid-1"}})
SERVED = answer({"resources": [{"name": "testruns"}, {"name": "testruns/status"}]})
NOT_SERVED = answer({"kind": "Status", "code": 404}, 404)
CONFLICT = answer({"kind": "Status", "code": 409, "reason": "AlreadyExists"}, 409)
CREATED = answer({}, 201)


@pytest.fixture
def cluster() -> Iterator[ScriptedApi]:
    with scripted_api() as api:
        yield api


@pytest.fixture
def settings(cluster: ScriptedApi, tmp_path: Path) -> Settings:
    path = tmp_path / "kubeconfig"
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": cluster.url.removesuffix("/api")}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
    }
    path.write_text(yaml.safe_dump(document))
    return Settings(kubeconfig=str(path))


def test_a_cluster_with_the_crd_is_ready(
    cluster: ScriptedApi, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.scripts = [KUBE_SYSTEM, SERVED]
    check_cluster(settings, install_crd=True)
    printed = capsys.readouterr().out.splitlines()

    assert printed == [f"cluster at {cluster.url.removesuffix('/api')} answers"]
    assert [request.method for request in cluster.requests] == ["GET", "GET"]


def test_without_the_crd_the_install_command_is_printed(
    cluster: ScriptedApi, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.scripts = [KUBE_SYSTEM, NOT_SERVED]
    check_cluster(settings, install_crd=False)
    printed = capsys.readouterr().out.splitlines()

    assert install_command(settings) in printed[1]
    assert "--install-crd" in printed[2]
    assert {request.method for request in cluster.requests} == {"GET"}


@pytest.mark.parametrize("created", [CREATED, CONFLICT], ids=["new", "installed meanwhile"])
def test_the_crd_is_installed_when_asked_for(
    cluster: ScriptedApi, settings: Settings, capsys: pytest.CaptureFixture[str], created: object
) -> None:
    cluster.scripts = [KUBE_SYSTEM, NOT_SERVED, created, NOT_SERVED, SERVED]  # type: ignore[list-item]
    check_cluster(settings, install_crd=True)
    printed = capsys.readouterr().out.splitlines()

    (post,) = [request for request in cluster.requests if request.method == "POST"]
    assert post.path == "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert json.loads(post.body)["metadata"]["name"] == "testruns.sparktest.dev"
    assert printed[1:] == ["the custom resource TestRun is installed"]


def test_a_crd_that_is_never_served_is_an_error_with_a_hint(
    cluster: ScriptedApi, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "ESTABLISHED_SECONDS", 0.0)
    cluster.scripts = [KUBE_SYSTEM, NOT_SERVED, CREATED, NOT_SERVED]

    with pytest.raises(ExitError, match="the conditions of") as raised:
        check_cluster(settings, install_crd=True)

    assert raised.value.code is Exit.INFRA


def test_a_cluster_that_denies_access_or_is_down_is_an_error(
    cluster: ScriptedApi, settings: Settings
) -> None:
    cluster.scripts = [answer({"kind": "Status", "code": 403}, 403)]
    with pytest.raises(ForbiddenError):
        check_cluster(settings, install_crd=False)
    cluster.scripts = [answer({}, 503)]
    with pytest.raises(UnavailableError):
        check_cluster(settings, install_crd=False)


def test_the_install_command_is_quoted_for_a_shell() -> None:
    settings = Settings(kubeconfig="/a b/c", context="$(x)")

    words = shlex.split(install_command(settings))

    assert words == [
        "sparktest",
        "crd",
        "|",
        "kubectl",
        "--kubeconfig",
        "/a b/c",
        "--context",
        "$(x)",
        "apply",
        "-f",
        "-",
    ]
    assert install_command(Settings()) == "sparktest crd | kubectl apply -f -"


def test_a_cluster_is_reachable_once_it_answers(
    cluster: ScriptedApi, settings: Settings, tmp_path: Path
) -> None:
    cluster.scripts = [answer({"kind": "Status", "code": 403}, 403), KUBE_SYSTEM]

    assert [is_reachable(settings) for _ in range(2)] == [False, True]
    assert not is_reachable(Settings(kubeconfig=str(tmp_path / "missing")))
