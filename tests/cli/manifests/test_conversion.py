"""TestRuns, Jobs and CronJobs as runs; what is refused, and what has no effect."""

from typing import Any

import pytest

from sparktest.cli.manifests.conversion import convert, kind_problem
from tests.cli.manifests.objects import CONTAINER, converted, job, pod, testrun


def cronjob(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"day": "1"}}, "spec": job()["spec"]}
    return job() | {"kind": "CronJob", "spec": {"jobTemplate": template, **spec}}


# --- kinds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [testrun(), job(), cronjob(), pod()])
def test_four_kinds_can_be_run(content: dict[str, Any]) -> None:
    assert kind_problem(content) == ""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (testrun() | {"apiVersion": "k6.io/v1alpha1"}, "k6.io/v1alpha1 TestRun is another kind"),
        (job() | {"apiVersion": None}, "Job is another kind"),
        (
            {"apiVersion": "v1", "kind": "Service"},
            "v1 Service cannot be run (kubectl apply creates it)",
        ),
        ({"kind": ["Job"]}, "cannot be run"),
        ({}, "an object without apiVersion and kind cannot be run"),
        (["a"], "must be an object"),
    ],
)
def test_other_kinds_are_named(content: Any, problem: str) -> None:
    assert problem in kind_problem(content)


@pytest.mark.parametrize("content", [testrun(image="i"), job(), cronjob(), pod()])
def test_a_name_is_required_and_may_be_generated(content: dict[str, Any]) -> None:
    unnamed = convert("x", content | {"metadata": {}})
    generated = convert("x", content | {"metadata": {"generateName": "a-"}})

    assert unnamed.problems == ["metadata.name: is required"]
    assert (generated.name, generated.metadata, generated.problems) == (
        "a",
        {"generateName": "a-"}
        | ({"labels": {"day": "1"}} if "jobTemplate" in str(content) else {}),
        [],
    )


# --- TestRuns -------------------------------------------------------------------------------------


def test_a_testrun_keeps_its_spec_but_for_a_cancellation() -> None:
    manifest = converted(testrun(image="i", env={"A": "1"}, cancelled=True))

    assert manifest.keeps_name
    assert manifest.spec == {"image": "i", "env": {"A": "1"}}
    assert list(manifest.warnings) == ["spec.cancelled has no effect on a new run"]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({}, "spec: give one of definitionId, definitionName, image, template"),
        ({"image": "i", "definitionName": "d"}, "spec: give only one of definitionName, image"),
        (
            {"template": {"metadata": {"name": "x"}}},
            "spec.template.metadata.name: only labels and annotations are used of a template's "
            "metadata",
        ),
        (
            {"template": {"spec": {"containers": [{"name": "a", "image": None}]}}},
            "spec.template.spec.containers[0].image: null is not allowed: leave the field out",
        ),
        (
            {"template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}},
            "spec.template.spec.containers: the template has several containers: name the one "
            "that runs the test 'test', or name it in the annotation "
            "kubectl.kubernetes.io/default-container",
        ),
    ],
)
def test_a_testrun_that_cannot_run_is_refused(spec: dict[str, Any], problem: str) -> None:
    assert convert("x", testrun(**spec)).problems == [problem]


# --- Jobs and CronJobs ----------------------------------------------------------------------------


def test_a_job_becomes_its_template_with_timeout_and_ttl() -> None:
    manifest = converted(
        job(
            {"activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 0, "backoffLimit": 0},
            restartPolicy="Never",
            volumes=[{"name": "v", "emptyDir": {}}],
        )
    )

    assert manifest.metadata == {"name": "unit", "labels": {"team": "shop"}}
    assert manifest.spec == {
        "template": {
            "spec": {"containers": [CONTAINER], "volumes": [{"name": "v", "emptyDir": {}}]}
        },
        "timeoutSeconds": 60,
        "ttlSecondsAfterFinished": 0,
    }
    assert (manifest.keeps_name, list(manifest.warnings)) == (False, [])


def test_of_two_deadlines_the_shorter_one_counts() -> None:
    both = converted(job({"activeDeadlineSeconds": 60}, activeDeadlineSeconds=9))

    assert both.spec["timeoutSeconds"] == 9
    assert converted(job(activeDeadlineSeconds=9)).spec["timeoutSeconds"] == 9
    assert "activeDeadlineSeconds" not in both.spec["template"]["spec"]


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (
            job({"backoffLimit": 3}),
            "spec.backoffLimit has no effect: a run that failed is not repeated",
        ),
        (
            job(restartPolicy="OnFailure"),
            "spec.template.spec.restartPolicy has no effect: a run that failed is not repeated",
        ),
        (job({"suspend": True}), "spec.suspend has no effect on a run"),
        (
            job({"podFailurePolicy": {"rules": []}, "completionMode": "Indexed"}),
            "spec.podFailurePolicy, spec.completionMode have no effect on a run",
        ),
        (job({"selector": {}}), "spec.selector has no effect on a run"),
        (
            pod(restartPolicy="Always"),
            "spec.restartPolicy has no effect: a run that failed is not repeated",
        ),
    ],
)
def test_what_has_no_effect_is_named(content: dict[str, Any], warning: str) -> None:
    assert list(converted(content).warnings) == [warning]


@pytest.mark.parametrize("field", ["completions", "parallelism"])
@pytest.mark.parametrize("count", [0, 2])
def test_a_job_of_several_pods_is_refused(field: str, count: int) -> None:
    assert convert("x", job({field: count})).problems == [
        f"spec.{field}: must be 1: a run has one pod"
    ]


def test_a_cronjob_runs_its_job_template_once() -> None:
    manifest = converted(cronjob(schedule="@daily", suspend=False))

    assert manifest.metadata["labels"] == {"team": "shop", "day": "1"}
    assert manifest.spec == converted(job()).spec
    assert list(manifest.warnings) == [
        "it runs once, now",
        "spec.schedule, spec.suspend have no effect on a run",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (job() | {"spec": {}}, "spec.template: is required"),
        (job(containers=[]), "spec.template.spec.containers: needs a container"),
        (cronjob(jobTemplate={}), "spec.jobTemplate: is required"),
        (
            cronjob(jobTemplate={"spec": {"template": {}}}),
            "spec.jobTemplate.spec.template: is required",
        ),
        (pod(containers=None), "spec.containers: needs a container"),
        (pod() | {"spec": None}, "spec.containers: needs a container"),
    ],
)
def test_what_has_no_pod_is_refused(content: dict[str, Any], problem: str) -> None:
    assert convert("x", content).problems == [problem]
