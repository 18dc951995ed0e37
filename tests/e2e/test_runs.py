"""A TestRun or an API run becomes one Job, and its outcome and log are stored."""

from importlib.resources import files

import pytest
import yaml

from sparktest.domain import LogState, Origin, Status
from tests.e2e.stack import IMAGE, Stack
from tests.requirements import require_program

pytestmark = pytest.mark.e2e
EXAMPLE = (files("sparktest.crd") / "examples" / "testrun.yaml").read_text()


def test_an_applied_testrun_becomes_one_job_and_one_stored_run(stack: Stack) -> None:
    manifest = yaml.safe_load(EXAMPLE)
    manifest["metadata"].pop("namespace", None)
    name = manifest["metadata"]["name"]

    stack.target.apply(stack.namespace, manifest)

    testrun = stack.wait_until_finished(name)
    assert testrun["status"]["phase"] == "Succeeded"
    run = stack.run_of(name)
    (job,) = stack.jobs_of(run)
    assert testrun["status"]["runId"] == run.id
    assert testrun["status"]["jobName"] == run.job_name == job["metadata"]["name"]
    assert job["metadata"]["uid"] == run.job_uid
    assert job["metadata"]["ownerReferences"][0]["uid"] == testrun["metadata"]["uid"]
    assert (run.status, run.origin) == (Status.SUCCEEDED, Origin.CRD)
    assert run.k8s_ref is not None
    assert run.k8s_ref.namespace == stack.namespace
    assert run.started_at is not None
    assert run.finished_at is not None
    assert run.created_at <= run.finished_at
    assert run.started_at <= run.finished_at
    assert run.log.state is LogState.COMPLETE
    log = stack.client.get_log(run.id)
    assert len(log) == run.log.bytes > 0


def test_kubectl_can_wait_for_the_end_and_shows_it(stack: Stack) -> None:
    require_program("kubectl")
    stack.apply("waited-for", commands=["sleep 1"])

    wait = ["wait", "--for=condition=Finished", "testruns.sparktest.dev/waited-for"]
    stack.kubectl(*wait, "--timeout=60s")

    table = stack.kubectl("get", "strun", "waited-for").splitlines()
    columns = dict(zip(*(line.split() for line in table), strict=False))
    assert columns["PHASE"] == "Succeeded"


def test_kubectl_shows_whose_fault_a_failure_was(stack: Stack) -> None:
    require_program("kubectl")
    stack.apply("exits-with-7", commands=["exit 7"])
    stack.wait_until_finished("exits-with-7")

    head, row = stack.kubectl("get", "strun", "exits-with-7", "-o", "wide").splitlines()

    first, last = head.index("CLASS"), head.index("RUN")
    assert head[first:last].split("  ")[0] == "CLASS"
    assert "EXIT CODE" in head[first:last]
    assert row[first:last].split() == ["test", "7"]


def test_a_finished_testrun_can_be_deleted_and_its_run_is_kept(stack: Stack) -> None:
    stack.apply("short", commands=["echo here"])
    stack.wait_until_finished("short")
    run = stack.run_of("short")

    stack.target.delete(stack.namespace, "short")

    assert stack.is_deleted("short")
    assert stack.client.get_run(run.id).status is Status.SUCCEEDED
    assert stack.log_of(run) == "here\n"


def test_an_api_run_becomes_one_job(stack: Stack) -> None:
    run = stack.client.create_run(
        {"name": "by-api", "image": "busybox:1.35", "commands": ["echo from the API"]}
    )

    ended = stack.wait_until_final(run.id)

    assert ended.status is Status.SUCCEEDED
    assert ended.origin is Origin.API
    assert len(stack.jobs_of(ended)) == 1
    assert stack.log_of(ended) == "from the API\n"


def test_a_testrun_with_a_template_can_be_run_again_with_overrides(stack: Stack) -> None:
    shell = {"name": "shell", "image": IMAGE, "command": ["sh", "-c", "echo $A $B"]}
    template = {"spec": {"containers": [shell]}}
    stack.apply("repeated", image=None, template=template, env={"A": "1", "B": "2"})
    stack.wait_until_finished("repeated")
    first = stack.run_of("repeated")
    assert (first.image, first.command) == (IMAGE, ("sh", "-c", "echo $A $B"))

    second = stack.client.rerun_run(first.id, {"env": {"B": "3"}, "labels": {"try": "2"}})

    assert (second.rerun_of, second.cluster) == (first.id, first.cluster)
    ended = stack.wait_until_final(second.id)
    assert (ended.status, ended.namespace) == (Status.SUCCEEDED, stack.namespace)
    assert (stack.log_of(first), stack.log_of(ended)) == ("1 2\n", "1 3\n")
    assert [run.id for run in stack.client.list_runs(label=["try=2"]).runs] == [second.id]
