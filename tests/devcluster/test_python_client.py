"""The official Python client on the dev cluster, unmodified."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client as k8s
from kubernetes import config, dynamic, watch
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from sparktest.devcluster.app import DevCluster
from tests.devcluster.client import eventually, job

GROUP, VERSION = "sparktest.dev", "v1alpha1"
RUN = {
    "apiVersion": f"{GROUP}/{VERSION}",
    "kind": "TestRun",
    "metadata": {"name": "hello"},
    "spec": {"image": "busybox:1.35"},
}


@pytest.fixture
def connection(testrun_cluster: DevCluster) -> Iterator[k8s.ApiClient]:
    with config.new_client_from_config(str(testrun_cluster.kubeconfig)) as made:
        yield made


def test_the_typed_client_runs_a_job_and_reads_its_log(
    connection: k8s.ApiClient, namespace: str
) -> None:
    batch: Any = k8s.BatchV1Api(connection)
    core: Any = k8s.CoreV1Api(connection)
    container = k8s.V1Container(name="test", image="busybox:1.35", command=["sh", "-c", "echo hi"])
    pod = k8s.V1PodSpec(restart_policy="Never", containers=[container])
    spec = k8s.V1JobSpec(backoff_limit=0, template=k8s.V1PodTemplateSpec(spec=pod))
    body = k8s.V1Job(metadata=k8s.V1ObjectMeta(name="typed"), spec=spec)
    made = batch.create_namespaced_job(namespace, body)
    assert made.metadata.creation_timestamp.tzinfo is not None

    ended = eventually(lambda: batch.read_namespaced_job("typed", namespace).status.completion_time)

    assert ended >= made.metadata.creation_timestamp
    (found,) = core.list_namespaced_pod(namespace, label_selector="job-name=typed").items
    assert core.read_namespaced_pod_log(found.metadata.name, namespace) == "hi\n"
    assert found.status.container_statuses[0].state.terminated.exit_code == 0
    patch = {"spec": {"ttlSecondsAfterFinished": 600}}
    assert (
        batch.patch_namespaced_job("typed", namespace, patch).spec.ttl_seconds_after_finished == 600
    )
    batch.delete_namespaced_job("typed", namespace, propagation_policy="Foreground")
    eventually(lambda: not batch.list_namespaced_job(namespace).items)
    assert core.list_namespaced_pod(namespace).items == []


def test_errors_of_the_typed_client_have_their_status_codes(
    connection: k8s.ApiClient, namespace: str
) -> None:
    core: Any = k8s.CoreV1Api(connection)
    body = k8s.V1ConfigMap(metadata=k8s.V1ObjectMeta(name="a"), data={"k": "v"})
    core.create_namespaced_config_map(namespace, body)
    codes = []
    for call in (
        lambda: core.create_namespaced_config_map(namespace, body),
        lambda: core.read_namespaced_config_map("absent", namespace),
        lambda: core.create_namespaced_config_map(namespace, {"metadata": {"name": "Bad_"}}),
    ):
        with pytest.raises(k8s.ApiException) as caught:
            call()
        codes.append(caught.value.status)
    assert codes == [409, 404, 422]


def test_a_custom_object_and_its_status_are_patched_separately(
    connection: k8s.ApiClient, namespace: str
) -> None:
    api: Any = k8s.CustomObjectsApi(connection)
    place: tuple[Any, ...] = (GROUP, VERSION, namespace, "testruns")
    api.create_namespaced_custom_object(*place, RUN)
    api.patch_namespaced_custom_object(*place, "hello", {"spec": {"cancelled": True}})
    status = {"status": {"phase": "Cancelled"}}
    found = api.patch_namespaced_custom_object_status(*place, "hello", status)
    assert (found["spec"]["cancelled"], found["status"]) == (True, {"phase": "Cancelled"})
    crds: Any = k8s.ApiextensionsV1Api(connection)
    crd = crds.read_custom_resource_definition("testruns.sparktest.dev")
    assert crd.spec.versions[0].additional_printer_columns[0].name == "Phase"


def test_the_dynamic_client_finds_kinds_by_their_names(
    connection: k8s.ApiClient, namespace: str, tmp_path: Path
) -> None:
    found = dynamic.DynamicClient(connection, cache_file=str(tmp_path / "kinds"))
    runs = found.resources.get(api_version=f"{GROUP}/{VERSION}", kind="TestRun")
    runs.create(body=RUN, namespace=namespace)
    runs.patch(
        body={"metadata": {"labels": {"a": "b"}}},
        name="hello",
        namespace=namespace,
        content_type="application/merge-patch+json",
    )
    (run,) = runs.get(namespace=namespace, label_selector="a=b").items
    assert run.spec.image == "busybox:1.35"
    events = runs.watch(namespace=namespace, timeout=5)
    assert next(events)["object"].metadata.name == "hello"
    events.close()
    runs.delete(name="hello", namespace=namespace)
    assert runs.get(namespace=namespace).items == []


def test_a_watch_continues_after_a_list(connection: k8s.ApiClient, namespace: str) -> None:
    batch: Any = k8s.BatchV1Api(connection)
    start = batch.list_namespaced_job(namespace).metadata.resource_version
    batch.create_namespaced_job(namespace, job("seen", image="simulate/creating"))
    batch.delete_namespaced_job("seen", namespace, propagation_policy="Background")
    seen = []
    stream = watch.Watch()
    for event in stream.stream(
        batch.list_namespaced_job, namespace, resource_version=start, timeout_seconds=20
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            stream.stop()
    assert seen[0] == ("ADDED", "seen")
    assert seen[-1] == ("DELETED", "seen")


@pytest.fixture
def as_default(testrun_cluster: DevCluster) -> Iterator[None]:
    """Set the default configuration, for the parts of the client that accept no other."""
    config.load_kube_config(str(testrun_cluster.kubeconfig))
    yield
    k8s.Configuration.set_default(None)


@pytest.mark.usefixtures("as_default")
def test_one_candidate_leads_at_a_time(connection: k8s.ApiClient, namespace: str) -> None:
    ended = []

    def lead() -> None:
        raise RuntimeError("this leader has had enough")

    def candidate(name: str) -> leaderelection.LeaderElection:
        lock = LeaseLock("leader", namespace, name)
        terms = {"lease_duration": 3, "renew_deadline": 2, "retry_period": 1}
        stopped = {"onstarted_leading": lead, "onstopped_leading": lambda: ended.append(name)}
        return leaderelection.LeaderElection(electionconfig.Config(lock, **terms, **stopped))

    candidate("first").run()
    second = candidate("second")
    assert second.try_acquire_or_renew() is False  # the first one's lease still lasts
    leases: Any = k8s.CoordinationV1Api(connection)
    assert leases.read_namespaced_lease("leader", namespace).spec.holder_identity == "first"
    second.observed_time_milliseconds = 0  # as if it had waited for the end of the lease

    assert second.try_acquire_or_renew() is True

    assert leases.read_namespaced_lease("leader", namespace).spec.holder_identity == "second"
    assert ended == ["first"]
