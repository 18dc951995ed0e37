"""Pod templates of TestRuns: what Kubernetes refuses, and which container decides."""

import re
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparktest.domain import FailureClass, LogState, Run, Status
from sparktest.kube.resources import EVENTS, Resource
from tests.e2e.program import until
from tests.e2e.stack import IMAGE, Stack

pytestmark = pytest.mark.e2e
PAGE = Path(__file__).parents[2] / "docs" / "testruns.md"
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS = Resource("", "v1", "secrets", "Secret")
SHELL = {"image": IMAGE, "command": ["sh", "-c"]}
NO_CONFIG_MAP = {"configMap": {"name": "missing"}}
NO_FOLDER = {"hostPath": {"path": "/no/such/folder", "type": "Directory"}}


# A module is set up again when a worker of pytest-xdist runs other tests in between.
@pytest.fixture(scope="session", autouse=True)
def slow_mounts(stack: Stack) -> None:
    """Start the runs that wait for their volumes for long before the other tests."""
    apply_with_volume(stack, "no-config-map", NO_CONFIG_MAP)
    apply_with_volume(stack, "no-folder", NO_FOLDER, timeoutSeconds=25)


def apply_with_volume(stack: Stack, name: str, source: dict[str, Any], **spec: Any) -> None:
    mounted = {"name": "test", "volumeMounts": [{"name": "a", "mountPath": "/a"}]}
    template = {"spec": {"volumes": [{"name": "a", **source}], "containers": [mounted]}}
    stack.apply(name, commands=["true"], template=template, **spec)


def skip_slow_kubelets(stack: Stack) -> None:
    if stack.target.minor_version < 28:
        pytest.skip("the kubelet before 1.28 ends a pod only after its attempt to mount")


def containers(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(entries)}}


def test_a_misspelt_field_deep_in_the_template_ends_the_run_within_five_seconds(
    stack: Stack,
) -> None:
    if stack.target.minor_version < 25:
        pytest.skip("Kubernetes before 1.25 has no strict validation")
    began = time.monotonic()
    stack.apply("misspelt", template=containers({"name": "test", "imagePullPolicyy": "Always"}))

    status = stack.wait_until_finished("misspelt")["status"]

    assert time.monotonic() - began < 5
    assert (status["phase"], status["reason"]) == ("Failed", "Invalid")
    assert status["failure"]["class"] == FailureClass.CONFIG
    path = "spec.template.spec.containers[0].imagePullPolicyy"
    assert f'strict decoding error: unknown field "{path}"' in status["failure"]["message"]
    shown = stack.kubectl("get", "strun", "misspelt", "--no-headers").split()
    assert shown[:4] == ["misspelt", "Failed", IMAGE, "Invalid"]
    described = until("an Event has it", lambda: _described_event(stack, "misspelt", path))
    assert described.count(path) == 2, described


def _described_event(stack: Stack, name: str, words: str) -> str | None:
    described = stack.kubectl("describe", f"testruns.sparktest.dev/{name}")
    return described if words in described.partition("Events:")[2] else None


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("wrong-type", {"nodeSelector": ["a"]}, "nodeSelector"),
        ("malformed", {"containers": [5]}, "/spec/containers/0: must be an object"),
        ("nameless", {"containers": [{"tty": True}]}, "/spec/containers/0/name"),
        ("two-tests", {"containers": [{"name": "a"}, {"name": "b"}]}, "several containers"),
    ],
)
def test_a_template_that_cannot_be_used_ends_the_run_with_the_field(
    stack: Stack, name: str, spec: dict[str, Any], words: str
) -> None:
    stack.apply(name, template={"spec": spec})

    status = stack.wait_until_finished(name)["status"]

    assert (status["phase"], status["reason"]) == ("Failed", "Invalid")
    assert words in status["failure"]["message"]


def test_a_field_that_kubernetes_finds_invalid_ends_the_run_with_its_words(stack: Stack) -> None:
    stack.apply("bad-volume", template={"spec": {"volumes": [{"name": "Bad", "emptyDir": {}}]}})

    status = stack.wait_until_finished("bad-volume")["status"]

    assert (status["phase"], status["reason"]) == ("Failed", "Invalid")
    assert "spec.template.spec.volumes[0].name: Invalid value" in status["failure"]["message"]


@pytest.mark.parametrize(
    ("name", "test", "other", "status"),
    [
        ("other-fails", "sleep 1; echo mine", "exit 1", Status.SUCCEEDED),
        ("other-passes", "sleep 1; echo mine; exit 3", "exit 0", Status.FAILED),
        ("other-sleeps", "echo mine", "exec sleep 3600", Status.SUCCEEDED),
    ],
)
def test_only_the_container_named_test_decides(
    stack: Stack, name: str, test: str, other: str, status: Status
) -> None:
    template = containers({"name": "db", **SHELL, "args": [other]}, {"name": "test"})
    # A user may point kubectl at another container.
    template["metadata"] = {"annotations": {"kubectl.kubernetes.io/default-container": "db"}}
    stack.apply(name, commands=[test], template=template)

    stack.wait_until_finished(name)

    run = stack.run_of(name)
    assert run.status is status
    assert stack.log_of(run) == "mine\n"


def test_the_templates_of_definition_and_testrun_are_merged_and_env_wins(stack: Stack) -> None:
    def with_env(**variables: str) -> dict[str, Any]:
        env = [{"name": name, "value": value} for name, value in variables.items()]
        return containers({"name": "test", "env": env})

    made = stack.client.definitions.create(
        {
            "name": f"template-{uuid.uuid4().hex[:8]}",
            "image": IMAGE,
            "commands": ["echo $A $B $C"],
            "template": with_env(A="definition", B="definition", C="definition"),
        }
    )
    template = with_env(B="testrun", C="testrun")
    stack.apply("merged", definitionName=made.name, template=template, env={"C": "env"})

    stack.wait_until_finished("merged")

    assert stack.log_of(stack.run_of("merged")) == "definition testrun env\n"


def test_every_testrun_of_the_page_about_templates_succeeds(stack: Stack) -> None:
    if not stack.target.real or stack.target.minor_version < 29:
        pytest.skip("the page needs containers and native sidecars")
    shop = {"metadata": {"name": "shop"}}
    stack.cluster.create(CONFIG_MAPS, stack.namespace, {**shop, "data": {"shop.properties": "a"}})
    stack.cluster.create(SECRETS, stack.namespace, {**shop, "stringData": {"password": "a"}})
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    manifests = [yaml.safe_load(block) for block in blocks]
    for manifest in manifests:
        stack.target.apply(stack.namespace, manifest)

    for manifest in manifests:
        status = stack.wait_until_finished(manifest["metadata"]["name"])["status"]
        assert status["phase"] == "Succeeded", status


def has_ended(job: dict[str, Any]) -> bool:
    """Return True if the Job has no pod and will start none."""
    status = job.get("status", {})
    ends = {"Complete", "Failed", "Suspended"} & {each["type"] for each in status["conditions"]}
    return bool(ends) and not status.get("active")


def seconds_of(run: Run) -> float:
    assert run.finished_at
    return (run.finished_at - run.created_at).total_seconds()


def test_a_run_that_is_cancelled_while_a_volume_is_missing_ends_at_once(stack: Stack) -> None:
    skip_slow_kubelets(stack)
    apply_with_volume(stack, "cancelled-mount", NO_CONFIG_MAP)

    def mount_failed() -> bool:
        events = stack.cluster.list(EVENTS, stack.namespace).items
        job = stack.testrun("cancelled-mount").get("status", {}).get("jobName", "?")
        pods = [each["involvedObject"] for each in events if each["reason"] == "FailedMount"]
        return any(pod["name"].startswith(job) for pod in pods)

    until("a mount failed", mount_failed)
    stack.target.cancel(stack.namespace, "cancelled-mount")
    began = time.monotonic()

    status = stack.wait_until_finished("cancelled-mount")["status"]

    assert time.monotonic() - began < 20
    assert (status["phase"], status["reason"]) == ("Cancelled", "Cancelled")


def test_a_volume_whose_config_map_is_missing_ends_the_run_as_config(stack: Stack) -> None:
    skip_slow_kubelets(stack)
    status = stack.wait_until_finished("no-config-map")["status"]

    message = 'MountVolume.SetUp failed for volume "a" : configmap "missing" not found'
    failure = {"class": FailureClass.CONFIG, "reason": "FailedMount", "message": message}
    assert status["failure"] == failure
    assert (status["phase"], status["reason"]) == ("Failed", "FailedMount")
    assert "message" not in status
    assert "startedAt" not in status
    run = stack.run_of("no-config-map")
    assert (run.status, run.failure.class_ if run.failure else "") == ("failed", "config")
    assert 15 <= seconds_of(run) < 60
    assert (run.log.state, run.log.reason) == (LogState.NONE, "NotStarted")
    until("the Job has ended", lambda: all(map(has_ended, stack.jobs_of(run))))
    testrun = stack.testrun
    until("it is released", lambda: not testrun("no-config-map")["metadata"].get("finalizers"))
    stack.target.delete(stack.namespace, "no-config-map")
    assert stack.is_deleted("no-config-map")


def test_another_failed_mount_lasts_until_the_timeout(stack: Stack) -> None:
    skip_slow_kubelets(stack)
    status = stack.wait_until_finished("no-folder")["status"]

    assert (status["phase"], status["reason"]) == ("TimedOut", "FailedMount")
    assert "hostPath type check failed" in status["failure"]["message"]
    # The pod got its node at a time in whole seconds.
    assert 24 <= seconds_of(stack.run_of("no-folder")) < 60
