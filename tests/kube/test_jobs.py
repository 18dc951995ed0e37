"""The manifest of a Job: names, labels, literal text, and the fields of the pod."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import V1Job

from sparktest.domain import Failure, FailureClass, K8sRef, Origin, Run, Status
from sparktest.kube.jobs import (
    LABELS,
    RUN_ID,
    build_job,
    decode_stop_reason,
    encode_stop_reason,
    job_name_of_api_run,
    job_name_of_testrun,
)
from sparktest.kube.script import escape_dollars, shell_command

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
ID = "0b0e6a4c-1d7e-4c57-9b6a-6b1f3a0d9e11"
UIDS = st.uuids().map(str)
NAMES = st.one_of(
    st.from_regex(r"\A[a-z0-9]([-.a-z0-9]{0,250}[a-z0-9])?\Z"),  # what Kubernetes allows
    st.text(max_size=300),
    st.sampled_from(["", "-", "a" * 300, "a" * 46, "a" * 47, "a.b", "a-b", "A", "a", "ß", "--a--"]),
)


def a_run(**given: Any) -> Run:
    base: dict[str, Any] = {
        "id": ID,
        "name": "check",
        "status": Status.PENDING,
        "origin": Origin.API,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "image": "busybox:1.35",
        "namespace": "team",
        "job_name": job_name_of_api_run(ID),
    }
    return Run(**(base | given))


def pod_of(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = build_job(run)["spec"]["template"]["spec"]
    return found


def container_of(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = pod_of(run)["containers"][0]
    return found


# --- names ----------------------------------------------------------------------------------------


@given(name=NAMES, uid=st.one_of(UIDS, st.text(max_size=40)))
def test_the_name_of_a_job_is_a_valid_label_and_deterministic(name: str, uid: str) -> None:
    made = job_name_of_testrun(name, uid)
    assert LABEL.fullmatch(made), made
    assert made.startswith("testrun-")
    assert made == job_name_of_testrun(name, uid)


@given(first=NAMES, second=NAMES, uid=UIDS, other=UIDS)
def test_different_testruns_have_different_job_names(
    first: str, second: str, uid: str, other: str
) -> None:
    if first != second:
        assert job_name_of_testrun(first, uid) != job_name_of_testrun(second, uid)
    if uid[:8] != other[:8]:
        assert job_name_of_testrun(first, uid) != job_name_of_testrun(first, other)
        assert job_name_of_testrun(first, uid) != job_name_of_testrun(second, other)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("hello", "testrun-hello-0b0e6a4c"),
        ("a" * 46, "testrun-a{46}-0b0e6a4c"),
        ("a" * 47, "testrun-a{39}-[0-9a-f]{6}-0b0e6a4c"),
        ("v1.2", "testrun-v1-2-[0-9a-f]{6}-0b0e6a4c"),
    ],
)
def test_a_name_stays_readable_and_gets_a_hash_if_it_had_to_change(name: str, pattern: str) -> None:
    assert re.fullmatch(pattern, job_name_of_testrun(name, ID))


def test_the_job_name_of_an_api_run_contains_the_whole_id() -> None:
    assert job_name_of_api_run(ID) == f"test-run-{ID}"
    assert len(job_name_of_api_run(ID)) <= 63


# --- text -----------------------------------------------------------------------------------------


def expanded(text: str) -> str:
    """Expand a command or value as Kubernetes does when no variable is known.

    `$$` is a dollar; `$(NAME)` of an unknown variable and any other dollar stay.
    """
    return re.sub(r"\$(\$|\([^)]*\))?", lambda found: "$" if found[1] == "$" else found[0], text)


@given(text=st.text(alphabet="$()aB_ ", max_size=20))
def test_any_text_reaches_the_container_unchanged(text: str) -> None:
    assert expanded(escape_dollars(text)) == text


@given(text=st.text(max_size=50))
def test_no_variable_reference_is_left_for_kubernetes(text: str) -> None:
    assert "$(" not in escape_dollars(text).replace("$$", "")


# --- manifests ------------------------------------------------------------------------------------


def test_a_job_runs_once_and_is_labelled_with_its_run() -> None:
    job = build_job(a_run())
    assert job["metadata"]["name"] == f"test-run-{ID}"
    assert job["metadata"]["namespace"] == "team"
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert "ttlSecondsAfterFinished" not in job["spec"]
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        assert metadata["labels"] == {
            "app": "sparktest",
            "component": "test-runner",
            "managed-by": "sparktest-controller",
            RUN_ID: ID,
        }
        assert metadata["annotations"][RUN_ID] == ID
    annotations = job["spec"]["template"]["metadata"]["annotations"]
    assert annotations["kubectl.kubernetes.io/default-container"] == "test"


def test_only_the_job_of_a_testrun_has_an_owner() -> None:
    ref = K8sRef(namespace="team", name="hello", uid="u-1")
    job = build_job(a_run(origin=Origin.CRD, k8s_ref=ref))
    assert job["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "sparktest.dev/v1alpha1",
            "kind": "TestRun",
            "name": "hello",
            "uid": "u-1",
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]
    assert "ownerReferences" not in build_job(a_run())["metadata"]


@pytest.mark.parametrize(("timeout", "backstop"), [(1, 132), (600, 1330), (2**31 - 1, 2**31 - 1)])
def test_the_deadline_of_the_job_leaves_its_pod_time_to_be_scheduled_and_to_end(
    timeout: int, backstop: int
) -> None:
    job = build_job(a_run(timeout_seconds=timeout))
    assert job["spec"]["template"]["spec"]["activeDeadlineSeconds"] == timeout
    assert job["spec"]["activeDeadlineSeconds"] == backstop


def test_a_pod_gets_a_token_only_for_a_requested_service_account() -> None:
    assert pod_of(a_run())["automountServiceAccountToken"] is False
    asked = pod_of(a_run(service_account_name="tester"))
    assert asked["automountServiceAccountToken"] is True
    assert asked["serviceAccountName"] == "tester"


def test_commands_run_in_a_shell_but_command_and_args_do_not() -> None:
    assert container_of(a_run(commands=("echo $HOME",)))["command"] == ["sh", "-c", "echo $$HOME"]
    several = container_of(a_run(commands=("echo $HOME", "echo $(date)")))["command"]
    assert several[:2] == ["sh", "-c"]
    assert several[-2:] == ["echo $$HOME", "echo $$(date)"]
    assert [expanded(part) for part in several] == shell_command(["echo $HOME", "echo $(date)"])
    exec_form = container_of(a_run(entrypoint=("echo",), args=("$(A)", "$$")))
    assert exec_form["command"] == ["echo"]
    assert exec_form["args"] == ["$(A)", "$$"]
    assert not {"command", "args"} & container_of(a_run()).keys()


def test_values_of_env_are_not_expanded() -> None:
    assert container_of(a_run(env={"A": "$(B) $$ $"}))["env"] == [
        {"name": "A", "value": "$$(B) $$$$ $$"}
    ]


def test_the_pod_has_the_sources_resources_and_pull_secrets_of_the_run() -> None:
    run = a_run(
        env_from=({"secretRef": {"name": "s"}},),
        resources={"limits": {"memory": "64Mi"}},
        image_pull_secrets=({"name": "pull"},),
    )
    assert container_of(run)["envFrom"] == [{"secretRef": {"name": "s"}}]
    assert container_of(run)["resources"] == {"limits": {"memory": "64Mi"}}
    assert pod_of(run)["imagePullSecrets"] == [{"name": "pull"}]


def test_the_short_fields_win_over_the_template() -> None:
    test = {
        "name": "main",
        "command": ["a"],
        "args": ["b"],
        "env": [
            {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "B", "value": "$(A)"},
        ],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "workingDir": "/work",
    }
    run = a_run(
        template={"spec": {"containers": [test], "serviceAccountName": "a"}},
        commands=("true",),
        env={"A": "1"},
        resources={"limits": {"memory": "2Gi"}},
        service_account_name="b",
    )
    container = container_of(run)
    assert {"name": "A", "value": "1"} in container["env"]
    assert {"name": "B", "value": "$(A)"} in container["env"]
    assert container["resources"] == {"limits": {"cpu": "1", "memory": "2Gi"}}
    assert (container["name"], container["workingDir"]) == ("main", "/work")
    assert "args" not in container
    assert pod_of(run)["serviceAccountName"] == "b"


def test_labels_and_annotations_of_the_template_are_on_the_pod_but_those_of_sparktest_win() -> None:
    default = "kubectl.kubernetes.io/default-container"
    containers = [{"name": "db"}, {"name": "test"}]
    metadata = {
        "labels": {"tier": "e2e", "app": "shop", RUN_ID: "x"},
        "annotations": {"note": "a", default: "db", RUN_ID: "x"},
    }
    template = {"metadata": metadata, "spec": {"containers": containers}}
    found = build_job(a_run(template=template))["spec"]["template"]["metadata"]
    assert found["labels"] == {**LABELS, "tier": "e2e", RUN_ID: ID}
    assert found["annotations"] == {"note": "a", default: "test", RUN_ID: ID}


@pytest.mark.parametrize(("grace", "backstop"), [(600, 920), (-600, 320), ("soon", 320)])
def test_the_deadline_of_the_job_leaves_time_for_the_grace_period_of_the_template(
    grace: object, backstop: int
) -> None:
    template = {"spec": {"terminationGracePeriodSeconds": grace}}
    job = build_job(a_run(timeout_seconds=100, template=template))
    assert job["spec"]["activeDeadlineSeconds"] == backstop


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"commands": ("a", "b"), "env": {"A": "ü"}, "timeout_seconds": 2**31 - 1},
        {"entrypoint": ("a",), "args": ("b",), "service_account_name": "tester"},
        {"origin": Origin.CRD, "k8s_ref": K8sRef(namespace="team", name="a", uid="u")},
        {
            "env_from": ({"configMapRef": {"name": "c"}},),
            "resources": {"limits": {"cpu": "1"}},
            "image_pull_secrets": ({"name": "pull"},),
        },
    ],
)
def test_the_official_client_knows_all_fields_of_a_manifest_which_is_deterministic(
    fields: dict[str, Any],
) -> None:
    run = a_run(**fields)
    job = build_job(run)
    assert build_job(run) == job
    assert V1Job.model_validate(job).model_dump(by_alias=True, exclude_none=True) == job


# --- the reason of a stop -------------------------------------------------------------------------


def test_a_decoded_stop_reason_equals_the_encoded_one() -> None:
    cancel = Failure(FailureClass.CANCELLED, "Cancelled", "by Ann")
    assert decode_stop_reason(encode_stop_reason(cancel)) == cancel
    assert decode_stop_reason(None) is None


@pytest.mark.parametrize("value", ["", "stop!", "[]", '{"class": "whim"}', "null", "1", 7, {}])
def test_an_unreadable_stop_reason_counts_as_a_cancel(value: object) -> None:
    failure = decode_stop_reason(value)
    assert failure is not None
    assert (failure.class_, failure.reason) == (FailureClass.CANCELLED, "Cancelled")


def test_a_git_repository_is_cloned_by_the_image_that_is_set() -> None:
    run = a_run(git={"url": "https://example.com/x.git"})
    pod = build_job(run, git_image="git:1")["spec"]["template"]["spec"]
    (init,) = pod["initContainers"]
    assert (init["name"], init["image"]) == ("sparktest-git", "git:1")
    assert init["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod["containers"][0]["workingDir"] == "/sparktest/git"
    assert "initContainers" not in pod_of(a_run())
