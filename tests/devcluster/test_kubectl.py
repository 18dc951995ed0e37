"""kubectl on the dev cluster alone; test_parity.py compares its output with a real cluster."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparktest.devcluster.app import DevCluster
from tests.devcluster.kubectl import Kubectl
from tests.devcluster.manifests import JOB, POD, RUN, WIDGETS, widget
from tests.devcluster.parity import normalize

FINISHED = json.dumps(
    {
        "status": {
            "phase": "Succeeded",
            "conditions": [
                {"type": "Finished", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            ],
        }
    }
)


@pytest.fixture
def kubectl(testrun_cluster: DevCluster, namespace: str, tmp_path: Path) -> Kubectl:
    return Kubectl(str(testrun_cluster.kubeconfig), namespace, tmp_path)


def table(kubectl: Kubectl, command: str) -> list[list[str]]:
    """Return the cells of the table that a command prints, row by row."""
    text = normalize(kubectl.output(command), kubectl.namespace)
    return [line.strip().split("  ") for line in text.splitlines()]


def test_a_testrun_is_applied_changed_waited_for_and_deleted(kubectl: Kubectl) -> None:
    assert kubectl.output("apply -f -", RUN).endswith("hello created\n")
    assert kubectl.output("apply -f -", RUN).endswith("hello unchanged\n")
    assert kubectl.output("apply -f -", RUN.replace("shop", "web")).endswith("hello configured\n")
    kubectl.output("label strun hello seen=yes")
    kubectl.output("annotate strun hello note=hi")
    kubectl.output(f"patch strun hello --subresource=status --type=merge -p '{FINISHED}'")
    assert "condition met" in kubectl.output("wait --for=condition=Finished strun/hello")
    assert table(kubectl, "get strun -l team=web,seen") == [
        ["NAME", "PHASE", "DEFINITION", "REASON", "DURATION", "AGE"],
        ["hello", "Succeeded", "busybox:1.35", "AGE"],
    ]
    found = json.loads(kubectl.output("get strun hello -o json"))
    assert found["metadata"]["annotations"]["note"] == "hi"
    assert ["Phase:", "Succeeded"] in table(kubectl, "describe strun hello")
    kubectl.output("delete strun hello")
    assert 'testruns.sparktest.dev "hello" not found' in kubectl("get strun hello").err


def test_a_job_runs_and_its_log_and_events_are_shown(kubectl: Kubectl) -> None:
    kubectl.output("apply -f -", JOB)
    kubectl.output("wait --for=condition=Complete job/work --timeout=40s")
    assert kubectl.output("logs -f job/work") == "one\ntwo\n"
    header, *rows = table(kubectl, "get events")
    assert header == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert {row[2] for row in rows if row[3] == "job/work"} == {"SuccessfulCreate", "Completed"}
    assert table(kubectl, "get jobs -o wide")[1][:3] == ["work", "Complete", "1/1"]
    assert "not pulled" in kubectl.output("describe pods -l job-name=work")


@pytest.mark.parametrize(("policy", "left"), [("foreground", 0), ("orphan", 1)])
def test_the_cascade_option_decides_what_a_deleted_job_leaves(
    kubectl: Kubectl, policy: str, left: int
) -> None:
    kubectl.output("apply -f -", JOB)
    kubectl.output("wait --for=condition=Complete job/work --timeout=40s")
    kubectl.output(f"delete job work --cascade={policy}")
    assert len(kubectl.output("get pods -o name -l job-name=work").splitlines()) == left


def test_a_pod_is_gone_after_kubectl_wait_for_delete(kubectl: Kubectl) -> None:
    kubectl.output("apply -f -", POD)
    kubectl.output("wait --for=condition=Ready pod/one --timeout=40s")
    kubectl.output("delete pod one --grace-period=1 --wait=false")
    assert kubectl.output("get pod one").splitlines()[1].split()[2] == "Terminating"
    kubectl.output("wait --for=delete pod/one --timeout=40s")
    assert "not found" in kubectl("get pod one").err


def test_kubectl_create_job_and_run_work(kubectl: Kubectl) -> None:
    kubectl.output("create job made --image=busybox:1.35 -- sh -c 'echo made'")
    kubectl.output("run one --image=busybox:1.35 --restart=Never --command -- sh -c 'echo run'")
    kubectl.output("wait --for=condition=Complete job/made --timeout=40s")
    kubectl.output("wait --for=jsonpath={.status.phase}=Succeeded pod/one --timeout=40s")
    assert (kubectl.output("logs job/made"), kubectl.output("logs one")) == ("made\n", "run\n")
    assert "job.batch/made" in kubectl.output("get all")


def test_a_watch_shows_events(kubectl: Kubectl) -> None:
    kubectl.output("create configmap a")
    result = kubectl.watch(
        "get configmaps --watch --output-watch-events --no-headers",
        ("label configmap a x=y", "delete configmap a"),
        lines=3,
    )
    assert [line.split()[0] for line in result.out.splitlines()] == ["ADDED", "MODIFIED", "DELETED"]


@pytest.mark.parametrize("kind", ["configmap", "secret generic"])
def test_create_of_secrets_and_config_maps_works_once(kubectl: Kubectl, kind: str) -> None:
    kubectl.output(f"create {kind} a --from-literal=key=value")
    assert "already exists" in kubectl(f"create {kind} a --from-literal=key=value").err


def test_kubectl_diff_shows_a_change(kubectl: Kubectl) -> None:
    kubectl.output("apply -f -", RUN)
    assert kubectl("diff -f -", RUN).code == 0
    result = kubectl("diff -f -", RUN.replace("shop", "web"))
    assert result.code == 1
    assert "-    team: shop\n+    team: web\n" in result.out


def test_an_unknown_field_is_rejected_unless_validation_only_warns(kubectl: Kubectl) -> None:
    wrong = RUN.replace("env:", "nope: 1, env:")
    assert 'unknown field "spec.nope"' in kubectl("apply -f -", wrong).err
    result = kubectl("apply --validate=warn -f -", wrong)
    assert (result.code, result.err) == (0, 'Warning: unknown field "spec.nope"\n')


def test_server_side_apply_is_rejected_with_a_reason(kubectl: Kubectl) -> None:
    result = kubectl("apply --server-side -f -", RUN)
    assert result.code == 1
    assert "the dev cluster has no server-side apply" in result.err


@pytest.mark.parametrize("command", ["exec one -- true", "attach one"])
def test_an_unsupported_subresource_of_a_pod_is_rejected_with_a_reason(
    kubectl: Kubectl, command: str
) -> None:
    kubectl.output("apply -f -", POD)
    kubectl.output("wait --for=condition=Ready pod/one --timeout=40s")
    assert f"the dev cluster has no {command.split()[0]}" in kubectl(command).err


def test_cluster_info_and_auth_work(kubectl: Kubectl) -> None:
    assert "is running at https://127.0.0.1:" in kubectl.output("cluster-info")
    assert "sparktest.dev/v1alpha1" in kubectl.output("api-versions").split()
    assert ["testruns", "strun", "sparktest.dev/v1alpha1", "true", "TestRun"] in table(
        kubectl, "api-resources"
    )
    assert "sparktest" in kubectl("version").out
    assert kubectl.output("auth can-i create testruns.sparktest.dev") == "yes\n"
    assert "Username" in kubectl.output("auth whoami")


def test_kubectl_explain_shows_the_schema_of_a_kind(kubectl: Kubectl) -> None:
    assert "timeoutSeconds\t<integer>" in kubectl.output("explain testruns.spec --recursive")
    assert "backoffLimit\t<integer>" in kubectl.output("explain jobs.spec")
    assert 'field "nope" does not exist' in kubectl("explain testruns.nope").err


@pytest.fixture
def widgets(kubectl: Kubectl) -> Iterator[Any]:
    kubectl.output("create -f -", WIDGETS)
    yield kubectl
    kubectl("delete crd widgets.{ns}.dev")  # warns, since it has no namespace


def test_a_custom_kind_has_columns_categories_and_validation(widgets: Kubectl) -> None:
    widgets.output("create -f -", widget('{"size": 3, "tags": ["a"]}'))
    assert table(widgets, "get toys") == [
        ["NAME", "SIZE", "TAGS", "MADE"],
        ["toy", "3", "a", "AGE"],
    ]
    assert "brings bad luck" in widgets("create -f -", widget('{"size": 13}')).err
