"""kubectl on the dev cluster alone; test_parity.py compares what it says with a real cluster."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparktest.devcluster.app import DevCluster
from tests.devcluster.kubectl import Kubectl
from tests.devcluster.manifests import JOB, POD, RUN, WIDGETS, widget
from tests.devcluster.parity import alike

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
def kubectl(furnished: DevCluster, room: str, tmp_path: Path) -> Kubectl:
    return Kubectl(str(furnished.kubeconfig), room, tmp_path)


def table(kubectl: Kubectl, command: str) -> list[list[str]]:
    """The cells that a command prints, row by row."""
    text = alike(kubectl.says(command), kubectl.namespace)
    return [line.strip().split("  ") for line in text.splitlines()]


def test_a_testrun_is_applied_changed_waited_for_and_deleted(kubectl: Kubectl) -> None:
    assert kubectl.says("apply -f -", RUN).endswith("hello created\n")
    assert kubectl.says("apply -f -", RUN).endswith("hello unchanged\n")
    assert kubectl.says("apply -f -", RUN.replace("shop", "web")).endswith("hello configured\n")
    kubectl.says("label strun hello seen=yes")
    kubectl.says("annotate strun hello note=hi")
    kubectl.says(f"patch strun hello --subresource=status --type=merge -p '{FINISHED}'")
    assert "condition met" in kubectl.says("wait --for=condition=Finished strun/hello")
    assert table(kubectl, "get strun -l team=web,seen") == [
        ["NAME", "PHASE", "DEFINITION", "REASON", "DURATION", "AGE"],
        ["hello", "Succeeded", "busybox:1.35", "AGE"],
    ]
    found = json.loads(kubectl.says("get strun hello -o json"))
    assert found["metadata"]["annotations"]["note"] == "hi"
    assert ["Phase:", "Succeeded"] in table(kubectl, "describe strun hello")
    kubectl.says("delete strun hello")
    assert 'testruns.sparktest.dev "hello" not found' in kubectl("get strun hello").err


def test_a_job_runs_and_its_log_and_events_are_shown(kubectl: Kubectl) -> None:
    kubectl.says("apply -f -", JOB)
    kubectl.says("wait --for=condition=Complete job/work --timeout=40s")
    assert kubectl.says("logs -f job/work") == "one\ntwo\n"
    header, *rows = table(kubectl, "get events")
    assert header == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert {row[2] for row in rows if row[3] == "job/work"} == {"SuccessfulCreate", "Completed"}
    assert table(kubectl, "get jobs -o wide")[1][:3] == ["work", "Complete", "1/1"]
    assert "not pulled" in kubectl.says("describe pods -l job-name=work")


@pytest.mark.parametrize(("policy", "left"), [("foreground", 0), ("orphan", 1)])
def test_what_a_deleted_job_leaves_is_ones_own_choice(
    kubectl: Kubectl, policy: str, left: int
) -> None:
    kubectl.says("apply -f -", JOB)
    kubectl.says("wait --for=condition=Complete job/work --timeout=40s")
    kubectl.says(f"delete job work --cascade={policy}")
    assert len(kubectl.says("get pods -o name -l job-name=work").splitlines()) == left


def test_a_pod_is_gone_when_the_wait_for_that_ends(kubectl: Kubectl) -> None:
    kubectl.says("apply -f -", POD)
    kubectl.says("wait --for=condition=Ready pod/one --timeout=40s")
    kubectl.says("delete pod one --grace-period=1 --wait=false")
    assert kubectl.says("get pod one").splitlines()[1].split()[2] == "Terminating"
    kubectl.says("wait --for=delete pod/one --timeout=40s")
    assert "not found" in kubectl("get pod one").err


def test_jobs_and_pods_are_made_by_a_command_line(kubectl: Kubectl) -> None:
    kubectl.says("create job made --image=busybox:1.35 -- sh -c 'echo made'")
    kubectl.says("run one --image=busybox:1.35 --restart=Never --command -- sh -c 'echo run'")
    kubectl.says("wait --for=condition=Complete job/made --timeout=40s")
    kubectl.says("wait --for=jsonpath={.status.phase}=Succeeded pod/one --timeout=40s")
    assert (kubectl.says("logs job/made"), kubectl.says("logs one")) == ("made\n", "run\n")
    assert "job.batch/made" in kubectl.says("get all")


def test_a_watch_shows_what_happens(kubectl: Kubectl) -> None:
    kubectl.says("create configmap a")
    said = kubectl.watches(
        "get configmaps --watch --output-watch-events --no-headers",
        ("label configmap a x=y", "delete configmap a"),
        lines=3,
    )
    assert [line.split()[0] for line in said.out.splitlines()] == ["ADDED", "MODIFIED", "DELETED"]


@pytest.mark.parametrize("kind", ["configmap", "secret generic"])
def test_small_things_are_created_once(kubectl: Kubectl, kind: str) -> None:
    kubectl.says(f"create {kind} a --from-literal=key=value")
    assert "already exists" in kubectl(f"create {kind} a --from-literal=key=value").err


def test_a_difference_is_shown_before_it_is_made(kubectl: Kubectl) -> None:
    kubectl.says("apply -f -", RUN)
    assert kubectl("diff -f -", RUN).code == 0
    said = kubectl("diff -f -", RUN.replace("shop", "web"))
    assert said.code == 1
    assert "-    team: shop\n+    team: web\n" in said.out


def test_an_unknown_field_is_refused_and_can_be_let_through(kubectl: Kubectl) -> None:
    wrong = RUN.replace("env:", "nope: 1, env:")
    assert 'unknown field "spec.nope"' in kubectl("apply -f -", wrong).err
    said = kubectl("apply --validate=warn -f -", wrong)
    assert (said.code, said.err) == (0, 'Warning: unknown field "spec.nope"\n')


def test_server_side_apply_is_refused_by_name(kubectl: Kubectl) -> None:
    said = kubectl("apply --server-side -f -", RUN)
    assert said.code == 1
    assert "the dev cluster has no server-side apply" in said.err


@pytest.mark.parametrize("command", ["exec one -- true", "attach one"])
def test_what_a_process_cannot_is_refused_by_name(kubectl: Kubectl, command: str) -> None:
    kubectl.says("apply -f -", POD)
    kubectl.says("wait --for=condition=Ready pod/one --timeout=40s")
    assert f"the dev cluster has no {command.split()[0]}" in kubectl(command).err


def test_the_cluster_tells_of_itself(kubectl: Kubectl) -> None:
    assert "is running at https://127.0.0.1:" in kubectl.says("cluster-info")
    assert "sparktest.dev/v1alpha1" in kubectl.says("api-versions").split()
    assert ["testruns", "strun", "sparktest.dev/v1alpha1", "true", "TestRun"] in table(
        kubectl, "api-resources"
    )
    assert "sparktest" in kubectl("version").out
    assert kubectl.says("auth can-i create testruns.sparktest.dev") == "yes\n"
    assert "Username" in kubectl.says("auth whoami")


def test_a_kind_explains_itself_from_its_schema(kubectl: Kubectl) -> None:
    assert "timeoutSeconds\t<integer>" in kubectl.says("explain testruns.spec --recursive")
    assert "backoffLimit\t<integer>" in kubectl.says("explain jobs.spec")
    assert 'field "nope" does not exist' in kubectl("explain testruns.nope").err


@pytest.fixture
def widgets(kubectl: Kubectl) -> Iterator[Any]:
    kubectl.says("create -f -", WIDGETS)
    yield kubectl
    kubectl("delete crd widgets.{ns}.dev")  # warns, since it has no namespace


def test_a_kind_of_ones_own_has_its_columns_categories_and_rules(widgets: Kubectl) -> None:
    widgets.says("create -f -", widget('{"size": 3, "tags": ["a"]}'))
    assert table(widgets, "get toys") == [
        ["NAME", "SIZE", "TAGS", "MADE"],
        ["toy", "3", "a", "AGE"],
    ]
    assert "brings bad luck" in widgets("create -f -", widget('{"size": 13}')).err
