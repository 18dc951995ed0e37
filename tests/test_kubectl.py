import shlex
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest import kubectl
from sparktest.domain import K8sRef, Origin, Run, Status
from sparktest.kubectl import Target

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


def test_a_run_of_a_testrun_is_asked_for_by_the_whole_name_of_its_kind() -> None:
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


def test_an_api_run_is_asked_for_by_its_job() -> None:
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


def test_a_cluster_is_named_where_one_is_given() -> None:
    for _, command in kubectl.commands(crd_run(), target=Target(context="staging eu")):
        assert command.endswith(" --context 'staging eu'")
    for _, command in kubectl.commands(crd_run(), target=Target("/a b/config", "eu")):
        assert command.endswith(" --kubeconfig '/a b/config' --context eu")


@pytest.mark.parametrize("make", [crd_run, api_run], ids=["crd", "api"])
@given(name=st.text(), namespace=st.text(), context=st.text(min_size=1))
def test_hostile_names_stay_one_argument_each(
    make: Any, name: str, namespace: str, context: str
) -> None:
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
