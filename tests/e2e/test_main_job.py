"""The main job as the README shows it: kubectl apply, one Job, outcome and log stored."""

from importlib.resources import files

import pytest
import yaml

from sparktest.domain import LogState, Origin, Status
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e
EXAMPLE = (files("sparktest.crd") / "examples" / "testrun.yaml").read_text()


def test_a_testrun_applied_with_kubectl_becomes_one_job_and_a_stored_run(stack: Stack) -> None:
    manifest = yaml.safe_load(EXAMPLE)
    manifest["metadata"].pop("namespace", None)
    name = manifest["metadata"]["name"]

    stack.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
    stack.kubectl(
        "wait", "--for=condition=Finished", f"testruns.sparktest.dev/{name}", "--timeout=60s"
    )

    columns = dict(
        zip(
            *(line.split() for line in stack.kubectl("get", "strun", name).splitlines()),
            strict=False,
        )
    )
    assert columns["PHASE"] == "Succeeded"
    run = stack.run_of(name)
    (job,) = stack.jobs_of(run)
    testrun = stack.testrun(name)
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


def test_a_finished_testrun_is_deleted_at_once_and_its_run_stays(stack: Stack) -> None:
    stack.apply("short", commands=["echo here"])
    stack.finished("short")
    run = stack.run_of("short")

    stack.kubectl("delete", "testruns.sparktest.dev", "short", "--timeout=20s")

    assert stack.gone("short")
    assert stack.client.get_run(run.id).status is Status.SUCCEEDED
    assert stack.log_of(run) == "here\n"


def test_an_api_run_becomes_one_job_too(stack: Stack) -> None:
    run = stack.client.create_run(
        {"name": "by REST", "image": "busybox:1.35", "commands": ["echo from the API"]}
    )

    ended = stack.final(run.id)

    assert ended.status is Status.SUCCEEDED
    assert ended.origin is Origin.API
    assert len(stack.jobs_of(ended)) == 1
    assert stack.log_of(ended) == "from the API\n"
