import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sparktest import kubectl
from sparktest.domain import Failure, FailureClass, K8sRef, Origin, Run, Status
from sparktest.kubectl import CURRENT, Clusters, Target, known_clusters
from sparktest.settings import Settings
from sparktest.user_files import session_path

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def crd_run(**fields: Any) -> Run:
    known: dict[str, Any] = {
        "id": "1f0c",
        "name": "smoke",
        "status": Status.RUNNING,
        "origin": Origin.CRD,
        "created_at": NOW,
        "namespace": "team-a",
        "job_name": "testrun-smoke-0a1b2c3d",
        "timeout_seconds": 300,
        "k8s_ref": K8sRef(namespace="team-a", name="smoke", uid="u"),
    }
    return Run(**(known | fields))


def api_run(**fields: Any) -> Run:
    return crd_run(origin=Origin.API, k8s_ref=None, job_name="test-run-1f0c", **fields)


def test_commands_of_a_testrun_have_the_full_name_of_its_kind() -> None:
    assert kubectl.commands(crd_run()) == [
        ("get", "kubectl get testruns.sparktest.dev smoke -n team-a"),
        ("describe", "kubectl describe testruns.sparktest.dev smoke -n team-a"),
        ("logs", "kubectl logs job/testrun-smoke-0a1b2c3d --follow -n team-a"),
        (
            "wait",
            "kubectl wait --for=condition=Finished testruns.sparktest.dev/smoke"
            " --timeout=360s -n team-a",
        ),
        ("delete", "kubectl delete testruns.sparktest.dev smoke -n team-a"),
    ]


def test_commands_of_an_api_run_name_its_job() -> None:
    assert kubectl.commands(api_run()) == [
        ("get", "kubectl get job test-run-1f0c -n team-a"),
        ("describe", "kubectl describe job test-run-1f0c -n team-a"),
        ("logs", "kubectl logs job/test-run-1f0c --follow -n team-a"),
        (
            "wait",
            "kubectl wait '--for=jsonpath={.status.conditions[0].type}' job/test-run-1f0c"
            " --timeout=360s -n team-a",
        ),
        ("delete", "kubectl delete job test-run-1f0c -n team-a"),
    ]


def test_the_log_of_a_final_run_is_not_followed() -> None:
    run = crd_run(status=Status.FAILED)

    assert kubectl.logs(run) == "kubectl logs job/testrun-smoke-0a1b2c3d -n team-a"


def test_the_log_of_a_run_whose_test_never_started_is_that_of_what_failed() -> None:
    failure = Failure(class_=FailureClass.CONFIG, reason="Init:Error", container="clone")
    run = crd_run(status=Status.FAILED, failure=failure)

    assert kubectl.logs(run) == "kubectl logs job/testrun-smoke-0a1b2c3d -c clone -n team-a"
    assert " -c " not in kubectl.logs(
        crd_run(status=Status.FAILED, failure=failure, started_at=NOW)
    )


def test_commands_name_the_cluster_of_the_target() -> None:
    for _, command in kubectl.commands(crd_run(), target=Target(context="staging eu")):
        assert command.endswith(" --context 'staging eu'")
    for _, command in kubectl.commands(crd_run(), target=Target("/a b/config", "eu")):
        assert command.endswith(" --kubeconfig '/a b/config' --context eu")


def test_manifests_are_applied_to_the_named_cluster() -> None:
    assert kubectl.apply("sparktest crd") == "sparktest crd | kubectl apply -f -"
    target = Target("/a b/config", "eu")
    assert kubectl.apply("sparktest crd", target=target) == (
        "sparktest crd | kubectl --kubeconfig '/a b/config' --context eu apply -f -"
    )


# --- the cluster of a run ------------------------------------------------------------------------

DEV = Target("/data/devcluster/kubeconfig", "sparktest-devcluster")
CLUSTERS = Clusters({"facade00-1": DEV})


def test_a_run_of_a_known_cluster_gets_its_target_without_a_warning() -> None:
    run = crd_run(cluster="facade00-1")

    assert CLUSTERS.target(run) == DEV
    assert CLUSTERS.warning(run) == ""


@pytest.mark.parametrize(
    ("default", "acted_on"),
    [
        (CURRENT, "the current context of kubectl"),
        (Target(context="eu"), "context eu of kubectl"),
        (Target("/a/config", "eu"), "context eu of /a/config"),
    ],
)
def test_a_run_of_an_unknown_cluster_gets_the_default_and_a_warning(
    default: Target, acted_on: str
) -> None:
    clusters = CLUSTERS._replace(default=default)
    run = crd_run(cluster="9d1f")

    assert clusters.target(run) == default
    assert clusters.warning(run) == (
        f"cluster 9d1f is not known here; these commands act on {acted_on}"
    )


def test_a_run_without_a_cluster_warns_only_when_it_has_an_object() -> None:
    assert CLUSTERS.warning(api_run()) == ""
    for run in (crd_run(), api_run(job_created=True)):
        assert CLUSTERS.warning(run).startswith("the cluster of this run is not known here;")


def test_the_cluster_of_a_running_up_is_known(tmp_path: Path) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    path = session_path(environ)
    path.parent.mkdir()
    path.write_text(
        'backend_url = "http://127.0.0.1:9/api"\ncluster = "facade00-1"\n'
        f'kubeconfig = "{DEV.kubeconfig}"\ncontext = "{DEV.context}"\n'
    )
    prod = Target(context="prod")

    of_session = known_clusters(Settings(backend_url="http://127.0.0.1:9/api"), environ)
    of_another_api = known_clusters(Settings(backend_url="http://elsewhere/api"), environ)
    with_context = known_clusters(Settings(context="prod"), environ)

    assert of_session == Clusters({"facade00-1": DEV}, DEV)
    assert of_another_api == Clusters({"facade00-1": DEV}, CURRENT)
    assert with_context == Clusters({"facade00-1": DEV}, prod)


@pytest.mark.parametrize("text", [None, "", "nonsense", 'token = "t"\n'])
def test_without_a_usable_session_no_cluster_is_known(tmp_path: Path, text: str | None) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    session_path(environ).parent.mkdir()
    if text is not None:
        session_path(environ).write_text(text)

    assert known_clusters(Settings(), environ) == Clusters()


def test_a_testrun_is_created_again_from_what_the_cluster_has() -> None:
    run = crd_run(k8s_ref=K8sRef(namespace="a b", name="smoke"))

    assert kubectl.recreate(run, target=Target(context="eu")) == (
        "kubectl get testruns.sparktest.dev smoke -o yaml -n 'a b' --context eu | "
        "kubectl sparktest run -f - --context eu"
    )


@pytest.mark.parametrize("make", [crd_run, api_run], ids=["crd", "api"])
@example(name="-x", namespace="-x", context="-x")
@given(name=st.text(), namespace=st.text(), context=st.text(min_size=1))
def test_no_name_adds_an_argument(make: Any, name: str, namespace: str, context: str) -> None:
    ref = K8sRef(namespace=namespace, name=name)
    run = crd_run(k8s_ref=ref, namespace=namespace, job_name=name)
    if make is api_run:
        run = crd_run(origin=Origin.API, namespace=namespace, job_name=name)

    for label, command in kubectl.commands(run, target=Target(context=context)):
        words = shlex.split(command)
        assert words[:2] == ["kubectl", label]
        assert words[-4:] == ["-n", namespace, "--context", context]
        options = [word for word in words[2:-4] if word.startswith("-")]
        assert all(word.split("=")[0] in ("--follow", "--for", "--timeout") for word in options)
        assert any(word == name or word.endswith(f"/{name}") for word in words[2:-4])
