import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from sparktest import kubectl
from sparktest.cli.doctor.api import controller_check
from sparktest.cli.doctor.cluster import cluster_checks, cluster_uid
from sparktest.client import ApiClient
from sparktest.devcluster.app import DevCluster
from sparktest.domain import ControllerSeen
from sparktest.errors import ForbiddenError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import Resource
from sparktest.kubectl import Target
from sparktest.settings import Settings
from sparktest.user_files import Session, session_file
from tests.cli.conftest import Cli
from tests.live_api import TOKEN
from tests.scripted_api import answer, problem, scripted_api

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OWN = answer({"name": "ci", "scopes": ["read"], "expiresAt": None})
HEALTHY = answer({"status": "healthy", "timestamp": "2026-01-02T03:04:05Z"})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kubeconfig of the machine is found."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def states(out: str) -> dict[str, str]:
    return {each["check"]: each["state"] for each in json.loads(out)}


def todo(out: str, check: str) -> str:
    return str(next(each["todo"] for each in json.loads(out) if each["check"] == check))


def test_every_check_is_ok_when_all_is_well(cli: Cli, api: ApiClient, kubeconfig: Path) -> None:
    cluster = Cluster.connect(Settings(kubeconfig=str(kubeconfig)))
    with ApiClient(api.url, TOKEN, cluster=cluster.uid()) as controller:
        controller.list_runs(limit=1)
    cluster.close()

    result = cli("doctor", "--kubeconfig", str(kubeconfig))

    assert (result.code, result.err) == (0, ""), result.out
    lines = result.out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", check]
        for check in (
            "settings",
            "API",
            "token",
            "database",
            "controller",
            "cluster",
            "CRD",
            "rights",
            "controller",
        )
    ]
    assert "the controller of this cluster last reported" in lines[4]
    assert "the version of SparkTest" in lines[6]
    assert TOKEN not in result.out


def test_without_an_api_it_says_how_to_start_one_and_exits_with_6(cli: Cli) -> None:
    result = cli("doctor", "-o", "json", "--backend-url", "http://127.0.0.1:9")

    assert result.code == 6
    found = states(result.out)
    assert found["API"] == "problem"
    assert "sparktest up" in todo(result.out, "API")
    assert {found[check] for check in ("token", "database", "controller")} == {"unchecked"}
    # Without a kubeconfig here, the API may still have a cluster.
    assert found["cluster"] == "unchecked"


def test_a_wrong_token_is_a_problem(
    cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKTEST_TOKEN", "wrong")

    result = cli("doctor", "-o", "json")

    assert result.code == 3
    assert states(result.out)["token"] == "problem"
    assert "the API rejected the token from SPARKTEST_TOKEN" in result.out
    assert "SPARKTEST_TOKEN" in todo(result.out, "token")


def test_an_api_without_reports_of_a_controller_is_a_problem(cli: Cli, api: ApiClient) -> None:
    result = cli("doctor", "-o", "json")

    assert result.code == 3
    assert states(result.out)["controller"] == "problem"
    assert "sparktest controller" in todo(result.out, "controller")


def test_a_database_of_an_older_version_is_a_problem(cli: Cli) -> None:
    with scripted_api() as scripted:
        scripted.scripts = [HEALTHY, OWN, problem(503, detail="at revision 0001"), answer([])]
        result = cli("doctor", "-o", "json", "--backend-url", scripted.url)

    assert result.code == 3
    assert states(result.out)["database"] == "problem"
    assert todo(result.out, "database") == "sparktest db upgrade"


def test_a_proxy_that_hides_the_readiness_of_the_api_is_no_problem(cli: Cli) -> None:
    hidden = answer(body=b"", status=404, headers={"Content-Type": "text/html"})
    with scripted_api() as scripted:
        scripted.scripts = [HEALTHY, OWN, hidden, answer([])]
        result = cli("doctor", "-o", "json", "--backend-url", scripted.url)

    assert states(result.out)["database"] == "unchecked"


def test_an_older_api_without_a_list_of_controllers_is_no_problem(cli: Cli) -> None:
    with scripted_api() as scripted:
        scripted.scripts = [HEALTHY, OWN, HEALTHY, problem(404, detail="no such page")]
        result = cli("doctor", "-o", "json", "--backend-url", scripted.url)

    assert result.code == 0
    assert states(result.out)["controller"] == "unchecked"


@pytest.mark.parametrize("broken", [True, False])
def test_the_cluster_of_a_running_up_is_checked_unless_another_is_named(
    cli: Cli, api: ApiClient, kubeconfig: Path, tmp_path: Path, broken: bool
) -> None:
    if broken:
        (tmp_path / ".kube").mkdir()
        (tmp_path / ".kube" / "config").write_text("no kubeconfig")
    session = Session(backend_url=api.url, token=TOKEN, cluster="dev", kubeconfig=str(kubeconfig))
    with session_file(os.environ, session):
        found = cli("doctor", "-o", "json")
        named = cli("doctor", "-o", "json", "--kubeconfig", "/nope")

    assert states(found.out)["cluster"] == "ok"
    assert states(named.out)["cluster"] == "problem"


@pytest.mark.parametrize("option", ["--kubeconfig", "--context"])
def test_a_missing_cluster_is_a_problem_when_it_was_named(
    cli: Cli, api: ApiClient, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))

    result = cli("doctor", "-o", "json", option, "/nope")

    assert result.code == 3
    assert states(result.out)["cluster"] == "problem"


def test_a_cluster_without_the_crd_is_a_problem_with_the_install_command(
    cli: Cli, api: ApiClient, tmp_path: Path
) -> None:
    with DevCluster.start(tmp_path / "bare") as bare:
        result = cli("doctor", "-o", "json", "--kubeconfig", str(bare.kubeconfig))

    assert states(result.out)["CRD"] == "problem"
    target = Target(str(bare.kubeconfig))
    assert todo(result.out, "CRD") == kubectl.apply("sparktest crd", target=target)


class RestrictedCluster:
    """A fake cluster that denies everything, also reading CRDs and its uid."""

    host = "https://cluster"

    def has_resource(self, resource: Resource) -> bool:
        return True

    def get(self, *args: Any) -> Any:
        raise ForbiddenError("no")

    def create(self, resource: Resource, namespace: str | None, review: Any) -> Any:
        return {"status": {"allowed": False}}

    def uid(self) -> str:
        raise ForbiddenError("no")


def test_a_cluster_that_denies_everything_is_checked_all_the_same() -> None:
    cluster = cast(Cluster, RestrictedCluster())
    found = {each.check: each for each in cluster_checks(cluster, Settings(), "team")}

    assert found["CRD"].state == "ok"
    assert "not compared" in found["CRD"].text
    assert found["rights"].state == "problem"
    assert "controller rights" in found
    assert cluster_uid(cluster) is None


def seen(cluster: str, seconds: float) -> ControllerSeen:
    return ControllerSeen(cluster=cluster, seen_at=NOW - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("controllers", "state", "text"),
    [
        ([], "problem", "no controller has ever reported to the API"),
        ([seen("ours", 3)], "ok", "the controller of this cluster last reported 3s ago"),
        (
            [seen("other", 1), seen("ours", 90)],
            "problem",
            "the controller of this cluster last reported 1m ago",
        ),
        (
            [seen("other", 1)],
            "ok",
            "cluster other last reported 1s ago; none for the cluster checked here",
        ),
        ([seen("other", 100)], "problem", "the controller of cluster other last reported 1m ago"),
    ],
)
def test_a_controller_that_stopped_reporting_is_a_problem(
    controllers: list[ControllerSeen], state: str, text: str
) -> None:
    found = controller_check(controllers, "ours", NOW)

    assert found.state == state
    assert text in found.text
