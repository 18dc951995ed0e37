"""Every field of a pod's spec reaches the Job unchanged, but for those that docs/testruns.md names.

The fields are those of the official client: a new version with a field that gets lost fails here.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from sparktest.errors import InvalidError
from sparktest.kube.jobs import build_job
from tests.kube.pod_specs import fields_of, full_value, lost, pod_specs
from tests.kube.test_jobs import a_run
from tests.kube.valid_specs import NEWER, OWN, VOLUMES, named_specs

# What SparkTest sets itself, whatever the template says.
OVERWRITTEN = {"restartPolicy", "activeDeadlineSeconds"}
# Renamed to the field that replaced it.
RENAMED = {"serviceAccount"}
# Of the test's own container: a run is one execution.
REFUSED = {"restartPolicy", "restartPolicyRules"}
# What a silent template gets, as paths without indices.
DEFAULTS = re.compile(
    r"terminationGracePeriodSeconds|automountServiceAccountToken|securityContext"
    r"|securityContext\.seccompProfile|(initContainers|containers)\[\d+\]\.securityContext"
    r"|(initContainers|containers)\[\d+\]\.securityContext\.allowPrivilegeEscalation"
)
DOCS = Path(__file__).parents[2] / "docs" / "testruns.md"


def built(spec: dict[str, Any]) -> dict[str, Any]:
    job = build_job(a_run(image="", template={"spec": spec}))
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


def allowed(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the spec without what the docs name."""
    kept = {name: value for name, value in spec.items() if name not in OVERWRITTEN | RENAMED}
    kept["containers"] = [
        {name: value for name, value in container.items() if name not in REFUSED}
        for container in spec["containers"]
    ]
    return kept


def check(spec: dict[str, Any]) -> None:
    found = built(spec)
    assert list(lost(spec, found)) == []
    own = OVERWRITTEN | (RENAMED and {"serviceAccountName"})
    added = [path for path in lost(found, spec) if path not in own]
    assert [path for path in added if not DEFAULTS.fullmatch(path)] == []


def test_every_field_of_a_pod_and_its_containers_stays() -> None:
    check(allowed(full_value("V1PodSpec")))


@given(spec=pod_specs())
def test_any_combination_of_fields_stays(spec: dict[str, Any]) -> None:
    check(allowed(spec))


@pytest.mark.parametrize("name", sorted(OVERWRITTEN))
def test_what_a_run_sets_itself_is_overwritten(name: str) -> None:
    spec = full_value("V1PodSpec")
    assert built({name: spec[name]})[name] != spec[name]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_the_container_of_the_test_cannot_be_restarted(name: str) -> None:
    container = full_value("V1Container")
    spec = {"containers": [{"name": "test", name: container[name]}]}
    with pytest.raises(InvalidError, match=f"/template/spec/containers/test/{name}"):
        built(spec)
    sidecar = {"name": "sidecar", name: container[name]}
    assert built({"initContainers": [sidecar]})["initContainers"][0][name] == container[name]


@pytest.mark.parametrize("name", sorted(OVERWRITTEN | RENAMED | REFUSED))
def test_the_docs_name_every_field_that_does_not_stay(name: str) -> None:
    assert f"`{name}`" in DOCS.read_text(encoding="utf-8")
    assert name in fields_of("V1PodSpec") | fields_of("V1Container")


def test_the_specs_that_a_real_cluster_is_given_have_every_field() -> None:
    specs = named_specs().values()
    pods = {name for spec in specs for name in spec}
    kinds = [spec.get("initContainers", []) + spec["containers"] for spec in specs]
    containers = {name for kind in kinds for container in kind for name in container}
    assert fields_of("V1PodSpec").keys() - NEWER - OWN - pods == {"overhead", "priority"}
    assert fields_of("V1Container").keys() - NEWER - containers == set()
    assert fields_of("V1Volume").keys() - {"name"} == VOLUMES.keys()
