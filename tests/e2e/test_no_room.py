"""Quotas and LimitRanges: what no waiting heals fails at once, a full quota waits."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sparktest.domain import FailureClass, Status
from sparktest.kube.resources import Resource
from tests.e2e.program import until
from tests.e2e.stack import Stack
from tests.e2e.target import Target

pytestmark = pytest.mark.e2e
CASES = Path(__file__).parent / "cases"
LIMITS = {
    "quota.yaml": Resource("", "v1", "resourcequotas", "ResourceQuota"),
    "limitrange.yaml": Resource("", "v1", "limitranges", "LimitRange"),
}


@pytest.fixture(autouse=True)
def require_real_cluster(target: Target) -> None:
    if not target.real:
        pytest.skip("the dev cluster has neither quotas nor LimitRanges")


def prepared(make: Callable[..., Stack], limits: str) -> Stack:
    """Return a stack whose namespace has these limits."""
    stack = make()
    stack.cluster.create(
        LIMITS[limits], stack.namespace, yaml.safe_load((CASES / limits).read_text())
    )
    return stack


def apply(stack: Stack, file: str) -> None:
    for manifest in yaml.safe_load_all((CASES / file).read_text()):
        stack.target.apply(stack.namespace, manifest)


def check_refused(stack: Stack, name: str, words: str) -> None:
    stack.wait_until_finished(name, seconds=30)
    run = stack.run_of(name)
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert run.failure.class_ is FailureClass.CONFIG
    assert words in run.failure.message


def test_a_quota_that_asks_for_limits_fails_and_a_full_one_waits(
    own_stack: Callable[..., Stack],
) -> None:
    stack = prepared(own_stack, "quota.yaml")
    apply(stack, "quota-hog.yaml")
    until("it runs", lambda: stack.testrun("hog").get("status", {}).get("phase") == "Running")
    apply(stack, "quota-runs.yaml")

    check_refused(stack, "no-limits", "must specify limits.memory")
    until("it is shown what it waits for", lambda: stack.testrun("waits")["status"].get("message"))
    status = stack.testrun("waits")["status"]
    assert (status["phase"], "exceeded quota" in status["message"]) == ("Pending", True)


def test_sizes_that_a_limitrange_forbids_fail(own_stack: Callable[..., Stack]) -> None:
    stack = prepared(own_stack, "limitrange.yaml")
    apply(stack, "limitrange-runs.yaml")

    check_refused(stack, "too-large", "maximum memory usage per Container is 50Mi")
    for name in ("request-over-limit", "request-over-default-limit"):
        check_refused(stack, name, "must be less than or equal to memory limit")
