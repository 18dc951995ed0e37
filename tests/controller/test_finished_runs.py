"""What is kept of finished runs, and which of their objects are not cached."""

from typing import Any

import pytest

from sparktest.controller.finished_runs import FinishedRun, FinishedRuns
from sparktest.controller.object_cache import Entry, make_entry
from sparktest.controller.testruns import Key, parse_testrun
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.views import parse_job

NAMESPACE = "shop"


def a_testrun(version: int = 5, *, phase: str = "Succeeded", **metadata: Any) -> Entry[Any]:
    given = {"name": "smoke", "namespace": NAMESPACE, "uid": "11111111-1", "generation": 1}
    status = {"phase": phase, "runId": "run-1", "observedGeneration": 1}
    entry = make_entry(
        {"metadata": given | {"resourceVersion": str(version)} | metadata, "status": status},
        parse_testrun,
    )
    assert entry is not None
    return entry


KEY: Key = a_testrun().value.key


def job(
    name: str = KEY[1], version: int = 5, *, ttl: int | None = 60, owner: str | None = None
) -> Entry[Any]:
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "resourceVersion": str(version),
        "labels": {"sparktest.dev/run-id": "run-2"},
        "ownerReferences": [{"uid": owner, "controller": True}] if owner else [],
    }
    status = {"conditions": [{"type": "Complete", "status": "True"}]}
    spec = {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
    entry = make_entry({"metadata": metadata, "spec": spec, "status": status}, parse_job)
    assert entry is not None
    return entry


def pod(job_name: str) -> Entry[Any]:
    metadata = {"name": "pod", "namespace": NAMESPACE, "labels": {"job-name": job_name}}
    entry = make_entry({"metadata": metadata}, parse_pod)
    assert entry is not None
    return entry


@pytest.fixture
def finished() -> FinishedRuns:
    return FinishedRuns()


def test_a_testrun_with_nothing_left_to_do_is_kept_as_a_few_fields(finished: FinishedRuns) -> None:
    assert finished.skips_testrun(a_testrun(7))
    assert finished.get(KEY) == FinishedRun(run_id="run-1", testrun="smoke", version=7)
    assert finished.ids() == {"run-1": KEY}


@pytest.mark.parametrize(
    "changed",
    [
        a_testrun(phase="Running"),
        a_testrun(finalizers=["sparktest.dev/testrun-finalizer"]),
        a_testrun(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["other.example.com/x"]),
        a_testrun(generation=2),
    ],
    ids=["running", "finalizer", "deleted", "changed"],
)
def test_a_testrun_with_something_left_to_do_is_cached(
    finished: FinishedRuns, changed: Entry[Any]
) -> None:
    assert not finished.skips_testrun(changed)
    assert KEY not in finished


def test_late_events_of_older_versions_are_skipped_and_newer_ones_are_not(
    finished: FinishedRuns,
) -> None:
    finished.skips_testrun(a_testrun(7))
    assert finished.skips_testrun(a_testrun(6, phase="Running"))
    assert finished.skips_testrun(a_testrun(7))
    assert not finished.skips_testrun(a_testrun(8, generation=2))
    assert finished.skips_testrun(a_testrun(9))
    assert finished.get(KEY) == FinishedRun("run-1", "smoke", 9)


def test_an_unknown_version_is_not_taken_for_an_older_one(finished: FinishedRuns) -> None:
    finished.skips_testrun(a_testrun(resourceVersion="a"))
    assert not finished.skips_testrun(a_testrun(phase="Running", resourceVersion="b"))


def test_job_and_pods_of_a_finished_testrun_are_skipped(finished: FinishedRuns) -> None:
    assert not finished.skips_job(job(owner="11111111-1"))
    assert not finished.skips_pod(pod(KEY[1]))
    finished.skips_testrun(a_testrun())
    assert finished.skips_job(job(owner="11111111-1", ttl=None))
    assert finished.skips_pod(pod(KEY[1]))
    assert not finished.skips_pod(pod("another"))


def test_the_job_of_an_api_run_says_itself_that_nothing_is_left_to_do(
    finished: FinishedRuns,
) -> None:
    assert not finished.skips_job(job("test-run-2", ttl=None))
    assert finished.skips_job(job("test-run-2", 9))
    assert finished.get((NAMESPACE, "test-run-2")) == FinishedRun("run-2", "", 9)


def test_a_deleted_object_is_forgotten(finished: FinishedRuns) -> None:
    finished.skips_testrun(a_testrun())
    finished.skips_job(job("test-run-2"))
    finished.forget_job(job())
    assert KEY in finished, "the TestRun is still there"
    finished.forget_testrun(a_testrun(8))
    finished.forget_job(job("test-run-2"))
    assert finished.ids() == {}


def test_a_list_drops_what_it_does_not_have_unless_that_is_newer(finished: FinishedRuns) -> None:
    finished.skips_testrun(a_testrun(5))
    finished.skips_job(job("test-run-2", 5))
    finished.retain_testruns({(NAMESPACE, "smoke")}, None, 9)
    finished.retain_testruns(set(), "elsewhere", 9)
    finished.retain_testruns(set(), NAMESPACE, 4)
    finished.retain_jobs({(NAMESPACE, "test-run-2")}, None, 9)
    assert len(finished.ids()) == 2
    finished.retain_testruns(set(), NAMESPACE, 5)
    assert set(finished.ids()) == {"run-2"}
    finished.retain_jobs(set(), None, 5)
    assert finished.ids() == {}


def test_a_restored_store_may_have_an_unfinished_run_again(finished: FinishedRuns) -> None:
    assert finished.skips_testrun(a_testrun(9))
    assert finished.skips_job(job("test-run-2"))
    finished.testruns.restored()
    assert not finished.skips_testrun(a_testrun(5, phase="Running"))
    assert list(finished.ids()) == ["run-2"]
    finished.jobs.restored()
    assert finished.ids() == {}
