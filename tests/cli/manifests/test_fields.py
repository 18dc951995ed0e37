from typing import Any

import pytest

from sparktest.cli.manifests.fields import field_problems, path_text
from sparktest.cli.manifests.reading import kind_schemas

SCHEMAS = kind_schemas()


def problems(kind: str, **fields: Any) -> list[str]:
    return field_problems(kind, {"kind": kind, **fields}, SCHEMAS[kind])


def pod(**fields: Any) -> dict[str, Any]:
    return {"template": {"spec": fields}}


def test_a_path_is_written_as_people_write_it() -> None:
    assert path_text(("spec", "containers", 0, "image")) == "spec.containers[0].image"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("volumes", "put it under spec.template.spec.volumes"),
        ("volumeMounts", "put it under spec.template.spec.containers, in the container named test"),
        ("securityContext", "put it under spec.template.spec.securityContext"),
        ("activeDeadlineSeconds", "use spec.timeoutSeconds"),
        ("backoffLimit", "leave it out: a run is never repeated"),
        ("timeoutSecond", "did you mean timeoutSeconds?"),
    ],
)
def test_a_field_of_a_testrun_in_the_wrong_place_is_shown_the_right_one(
    name: str, hint: str
) -> None:
    assert problems("TestRun", spec={name: 1}) == [f"spec.{name}: unknown field; {hint}"]


@pytest.mark.parametrize(
    ("kind", "fields", "problem"),
    [
        ("Job", {"containers": []}, "put it under spec.template.spec.containers"),
        ("Job", {"image": "i"}, "put it under spec.template.spec.containers"),
        ("CronJob", {"volumes": []}, "put it under spec.jobTemplate.spec.template.spec.volumes"),
        ("Pod", {"command": []}, "put it under spec.containers"),
        ("Pod", {"container": []}, "did you mean containers?"),
    ],
)
def test_other_kinds_have_their_own_place_for_it(
    kind: str, fields: dict[str, Any], problem: str
) -> None:
    (name,) = fields

    assert problems(kind, spec=fields) == [f"spec.{name}: unknown field; {problem}"]


def test_a_field_deep_in_the_pod_template_has_its_whole_path() -> None:
    container = {"name": "t", "imagePullPolcy": "Always", "volumes": [], "env": [{"nam": "A"}]}

    assert problems("Job", spec=pod(containers=[container])) == [
        "spec.template.spec.containers[0].imagePullPolcy: unknown field; "
        "did you mean imagePullPolicy?",
        "spec.template.spec.containers[0].volumes: unknown field; "
        "put it under spec.template.spec.volumes",
        "spec.template.spec.containers[0].env[0].nam: unknown field; did you mean name?",
    ]


def test_a_field_that_resembles_nothing_is_only_unknown() -> None:
    assert problems("Job", spec={"zzz": 1}) == ["spec.zzz: unknown field"]


@pytest.mark.parametrize(
    ("kind", "fields", "problem"),
    [
        ("Job", {"spec": []}, "spec: must be an object"),
        ("Job", {"spec": pod(containers={})}, "spec.template.spec.containers: must be a list"),
        ("Job", {"spec": {"completions": "2"}}, "spec.completions: must be a whole number"),
        ("Job", {"spec": {"completions": True}}, "spec.completions: must be a whole number"),
        ("Job", {"spec": {"suspend": "no"}}, "spec.suspend: must be true or false"),
        ("TestRun", {"spec": {"env": {"A": 1}}}, "spec.env.A: must be a string: put it in quotes"),
        (
            "Pod",
            {"metadata": {"labels": {"v": True}}},
            "metadata.labels.v: must be a string: put it in quotes",
        ),
        ("Pod", {"metadata": {"name": ["a"]}}, "metadata.name: must be a string"),
        ("TestRun", {"spec": {"env": ["A"]}}, "spec.env: must be an object"),
        ("Pod", {"metadata": {"nam": "a"}}, "metadata.nam: unknown field; did you mean name?"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(
    kind: str, fields: dict[str, Any], problem: str
) -> None:
    assert problems(kind, **fields) == [problem]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_what_kubernetes_writes_into_every_object_is_known(kind: str) -> None:
    metadata = {
        "name": "a",
        "uid": "1",
        "creationTimestamp": None,
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
        "labels": {"a/b": "c"},
    }

    assert problems(kind, metadata=metadata, status={"any": "thing"}) == []


def test_quantities_and_ports_are_numbers_or_strings() -> None:
    resources = {"requests": {"cpu": 1, "memory": "1Gi"}}
    probe = {"httpGet": {"port": "http"}}
    container = {"name": "t", "resources": resources, "livenessProbe": probe}

    assert problems("Job", spec=pod(containers=[container])) == []
    assert problems("TestRun", spec={"image": "i", "resources": resources}) == []
