"""Jobs by name: from the store if it has the run, else from the cluster."""

from contextlib import contextmanager

import pytest

from sparktest.errors import MalformedError, NotFoundError, UnavailableError
from sparktest.kube.cluster import Listing
from sparktest.kube.jobs import LABELS, RUN_ID, SELECTOR
from tests.api.requests import answered, create, get, pointers, register, report

NOW = "2026-05-01T12:00:00Z"


class Cluster:
    """A cluster with these Jobs, each with a pod that has a log."""

    def __init__(self, *jobs):
        self.jobs = list(jobs)

    def has_resource(self, resource):
        return True

    def list(self, resource, namespace=None, *, label_selector=None, field_selector=None):
        if resource.kind == "Pod":
            uid = label_selector.partition("controller-uid=")[2]
            pod = {
                "metadata": {"name": f"pod-of-{uid}"},
                "spec": {"containers": [{"name": "tests"}]},
            }
            return Listing([pod] * (uid != "no-pod"), "1")
        assert label_selector == SELECTOR
        name = (field_selector or "").partition("metadata.name=")[2]
        return Listing(
            [
                job
                for job in self.jobs
                if job["metadata"]["labels"].items() >= LABELS.items()
                and name in ("", job["metadata"]["name"])
                and namespace in (None, job["metadata"]["namespace"])
            ],
            "1",
        )

    @contextmanager
    def pod_log(self, namespace, pod, container, *, tail_lines=None):
        yield iter([f"log of {container} in {pod}\n".encode(), b"\xff\n"])


def job(name="job-1", labels=LABELS, uid="u", **status):
    metadata = {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": NOW}
    return {"metadata": metadata | {"labels": {**labels, RUN_ID: "r"}}, "status": status}


@pytest.fixture
def cluster(ctx):
    ctx._cluster = Cluster()
    return ctx._cluster


class TestHealth:
    def test_a_cluster_that_answers(self, client, cluster):
        assert answered(client.get("/api/k8s/health"), 200) == {
            "kubernetes_connected": True,
            "timestamp": NOW,
        }

    def test_an_unreachable_cluster_is_reported_with_the_error(self, client, cluster, monkeypatch):
        def unavailable(resource):
            raise UnavailableError("connection refused")

        monkeypatch.setattr(cluster, "has_resource", unavailable)
        answer = answered(client.get("/api/k8s/health"), 200)
        assert (answer["kubernetes_connected"], answer["error"]) == (False, "connection refused")

    def test_without_a_cluster_the_error_names_the_setting(self, client, tmp_path, monkeypatch):
        monkeypatch.setenv("KUBECONFIG", "")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        answer = answered(client.get("/api/k8s/health"), 200)
        assert answer["kubernetes_connected"] is False
        assert "KUBECONFIG" in answer["error"]
        assert "KUBECONFIG" in answered(client.get("/api/k8s/jobs"), 503)["detail"]


@pytest.mark.parametrize(
    "path", ["jobs", "health", "status/job-1", "logs/job-1", "jobs/job-1/status"]
)
def test_an_unknown_query_parameter_is_refused(client, cluster, path):
    cluster.jobs = [job()]
    assert pointers(client.get(f"/api/k8s/{path}?namespace=shop")) == {"/namespace"}
    answered(client.get(f"/api/k8s/{path}"), 200)


def test_only_our_jobs_are_listed(client, cluster):
    cluster.jobs = [job(active=1), job("foreign", labels={"app": "other"})]
    assert answered(client.get("/api/k8s/jobs"), 200) == {
        "jobs": [
            {
                "name": "job-1",
                "namespace": "shop",
                "run_id": "r",
                "status": "running",
                "created_at": NOW,
            }
        ],
        "count": 1,
        "timestamp": NOW,
    }


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "phase"),
        [
            ("pending", "pending"),
            ("running", "running"),
            ("succeeded", "completed"),
            ("failed", "failed"),
            ("timed_out", "failed"),
            ("cancelled", "failed"),
        ],
    )
    def test_the_status_of_a_known_run_comes_from_the_store(self, client, status, phase):
        run = create(client)
        report(client, run["id"], status)
        for url in (f"/api/k8s/status/{run['jobName']}", f"/api/k8s/jobs/{run['jobName']}/status"):
            answer = answered(client.get(url), 200)
            assert answer == {"job_name": run["jobName"], "status": phase, "timestamp": NOW}

    @pytest.mark.parametrize(
        ("status", "phase"),
        [
            ({}, "pending"),
            ({"active": 1}, "running"),
            ({"conditions": [{"type": "Complete", "status": "True"}]}, "completed"),
            ({"conditions": [{"type": "Failed", "status": "True"}]}, "failed"),
            ({"conditions": [{"type": "Failed", "status": "False"}], "active": 1}, "running"),
        ],
    )
    def test_the_status_of_a_job_without_a_run_comes_from_the_cluster(
        self, client, cluster, status, phase
    ):
        cluster.jobs = [job(**status)]
        assert answered(client.get("/api/k8s/status/job-1"), 200)["status"] == phase

    @pytest.mark.parametrize("path", ["status/foreign", "logs/foreign", "jobs/foreign/status"])
    def test_a_foreign_job_is_not_found(self, client, cluster, path):
        cluster.jobs = [job("foreign", labels={"app": "other"})]
        answered(client.get(f"/api/k8s/{path}"), 404)

    @pytest.mark.parametrize("name", ["a,b=c", "x%00", "..", "%20", "A"])
    def test_an_invalid_job_name_never_reaches_the_cluster(self, client, ctx, name):
        ctx._cluster = None
        answered(client.get(f"/api/k8s/status/{name}"), 404)


class TestLogs:
    def test_the_log_of_a_known_run_comes_from_the_store(self, client):
        run = create(client)
        lines = b"".join(b"line %d\n" % n for n in range(1200))
        client.put(
            f"/api/test-runs/{run['id']}/logs/test?offset=0",
            data=lines,
            content_type="application/octet-stream",
        )
        answer = answered(client.get(f"/api/k8s/logs/{run['jobName']}"), 200)
        assert answer["logs"].splitlines()[0] == "line 200"
        assert answer["logs"].endswith("line 1199\n")
        assert (answer["job_name"], answer["status"]) == (run["jobName"], "pending")

    def test_the_log_is_that_of_the_container_that_runs_the_test(self, client):
        run = register(client, template={"spec": {"containers": [{"name": "tests"}]}})
        for container in ("tests", "other"):
            client.put(
                f"/api/test-runs/{run['id']}/logs/{container}?offset=0",
                data=container.encode(),
                content_type="application/octet-stream",
            )
        answer = answered(client.get(f"/api/k8s/logs/{run['jobName']}"), 200)
        assert answer["logs"] == "tests"

    def test_the_log_of_a_job_without_a_run_comes_from_its_pod(self, client, cluster):
        cluster.jobs = [job(active=1)]
        answer = answered(client.get("/api/k8s/logs/job-1"), 200)
        assert answer == {
            "job_name": "job-1",
            "pod_name": "pod-of-u",
            "logs": "log of tests in pod-of-u\n�\n",
            "status": "running",
            "timestamp": NOW,
        }

    def test_a_job_without_a_pod_has_no_log_yet(self, client, cluster):
        cluster.jobs = [job(uid="no-pod")]
        answer = answered(client.get("/api/k8s/logs/job-1"), 200)
        assert (answer["pod_name"], answer["logs"]) == ("", "")

    def test_a_container_that_has_not_started_has_no_log_yet(self, client, cluster, monkeypatch):
        def waiting(*args, **kw):
            raise MalformedError('container "tests" in pod "p" is waiting to start')

        cluster.jobs = [job(active=1)]
        monkeypatch.setattr(cluster, "pod_log", waiting)
        answer = answered(client.get("/api/k8s/logs/job-1"), 200)
        assert (answer["pod_name"], answer["logs"]) == ("pod-of-u", "")

    def test_of_two_jobs_of_one_name_neither_is_shown(self, client, cluster):
        other = job(uid="v")
        other["metadata"]["namespace"] = "web"
        cluster.jobs = [job(), other]
        for path in ("logs/job-1", "status/job-1"):
            detail = answered(client.get(f"/api/k8s/{path}"), 409)["detail"]
            assert "shop, web" in detail


class TestDelete:
    def test_a_run_that_is_not_final_is_cancelled(self, client):
        run = create(client)
        answer = answered(client.delete(f"/api/k8s/jobs/{run['jobName']}"), 200)
        assert run["id"] in answer["message"]
        assert get(client, run["id"])["cancelRequestedAt"] == NOW

    def test_a_final_run_cannot_be_cancelled_by_its_job(self, client):
        run = create(client)
        report(client, run["id"], "succeeded")
        answered(client.delete(f"/api/k8s/jobs/{run['jobName']}"), 409)

    def test_nothing_in_the_cluster_is_deleted(self, client, cluster):
        cluster.jobs = [job()]
        answered(client.delete("/api/k8s/jobs/job-1"), 404)
        assert len(cluster.jobs) == 1


def test_errors_of_the_cluster_keep_their_status(client, cluster, monkeypatch):
    def not_found(*args, **kw):
        raise NotFoundError("the server could not find the requested resource")

    monkeypatch.setattr(cluster, "list", not_found)
    answered(client.get("/api/k8s/jobs"), 404)
