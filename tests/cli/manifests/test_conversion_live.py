"""Pods, and objects that were read from a cluster, as runs."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.cli.manifests.conversion import KINDS, convert
from tests.cli.manifests.objects import CONTAINER, converted, job, pod, testrun


def test_a_pod_keeps_labels_and_annotations_in_the_template() -> None:
    kept = {"labels": {"app": "x"}, "annotations": {"helm.sh/hook": "test"}}

    manifest = converted(pod(kept, nodeName="n1", activeDeadlineSeconds=5))

    assert manifest.metadata == {"name": "check", **kept}
    assert manifest.spec == {
        "template": {"metadata": kept, "spec": {"containers": [CONTAINER], "nodeName": "n1"}},
        "timeoutSeconds": 5,
    }


def test_what_kubernetes_sets_in_a_live_pod_is_dropped() -> None:
    token = {"name": "kube-api-access-x7z2p"}
    mount = {**token, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    live = pod(
        {
            "uid": "1",
            "resourceVersion": "5",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        containers=[{**CONTAINER, "volumeMounts": [mount, {"name": "v", "mountPath": "/v"}]}],
        volumes=[{**token, "projected": {}}, {"name": "v", "emptyDir": {}}],
        nodeName="n1",
        priority=0,
        serviceAccount="default",
        serviceAccountName="default",
        restartPolicy="Never",
    )

    manifest = converted(live | {"status": {"phase": "Running"}})

    assert manifest.metadata == {"name": "check"}
    assert manifest.spec["template"] == {
        "spec": {
            "containers": [{**CONTAINER, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
            "volumes": [{"name": "v", "emptyDir": {}}],
        }
    }


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        ({"name": "a"}, {"name": "a"}),
        ({"name": "a-x1", "generateName": "a-"}, {"generateName": "a-"}),
    ],
)
def test_a_testrun_that_is_in_a_cluster_needs_another_name(
    metadata: dict[str, str], named: dict[str, str]
) -> None:
    content = testrun(image="i") | {"metadata": {**metadata, "uid": "1"}}

    manifest = converted(content)

    assert (manifest.keeps_name, manifest.metadata, manifest.name) == (False, named, "a")


def test_a_live_job_is_read_without_warnings() -> None:
    live = job(
        {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "completionMode": "NonIndexed",
            "manualSelector": False,
            "podReplacementPolicy": "TerminatingOrFailed",
            "selector": {"matchLabels": {"controller-uid": "1"}},
            "suspend": False,
        }
    )
    live["metadata"] = {"name": "unit", "uid": "1", "labels": {"job-name": "unit", "app": "x"}}
    live["spec"]["template"]["metadata"] = {
        "creationTimestamp": None,
        "labels": {"controller-uid": "1", "job-name": "unit", "app": "x"},
    }

    manifest = converted(live)

    assert manifest.metadata == {"name": "unit", "labels": {"app": "x"}}
    assert manifest.spec["template"]["metadata"] == {"labels": {"app": "x"}}
    assert list(manifest.warnings) == []


def test_a_field_that_is_null_counts_as_left_out() -> None:
    manifest = converted(job({"activeDeadlineSeconds": None}, nodeSelector=None))

    assert manifest.spec == converted(job()).spec


NAMES = st.sampled_from(
    [
        *("metadata", "spec", "template", "jobTemplate", "containers", "initContainers", "volumes"),
        *("name", "image", "env", "uid", "labels", "annotations", "restartPolicy", "completions"),
        *("activeDeadlineSeconds", "backoffLimit", "generateName", "nodeName", "volumeMounts"),
        *("definitionName", "git", "selector", "$patch", "sparktest.dev/x~1"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["", "a", "Never"])
CONTENT = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5)
)


@given(kind=st.sampled_from(sorted(KINDS)), fields=st.dictionaries(NAMES, CONTENT))
def test_whatever_an_object_has_it_is_converted_or_has_a_problem(
    kind: str, fields: dict[str, Any]
) -> None:
    content = {"apiVersion": KINDS[kind], "kind": kind, **fields}
    before = copy.deepcopy(content)

    manifest = convert("x", content)

    assert manifest.problems or (manifest.name and manifest.spec)
    assert content == before
