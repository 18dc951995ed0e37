from pathlib import Path

import pytest

from sparktest.errors import ConflictError, ForbiddenError, GoneError, InvalidError, NotFoundError
from sparktest.kube import cluster as module
from sparktest.kube import transport
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import JOBS, NAMESPACES, PODS, TESTRUNS
from sparktest.kube.streams import WatchStream
from sparktest.settings import Settings
from tests.kube.apiserver import Apiserver
from tests.kube.faults import chunks, refuse, reply

OBJECT = b'{"metadata": {"name": "a"}}'


def watch(cluster: Cluster, version: str = "0") -> WatchStream:
    return cluster.watch(TESTRUNS, resource_version=version, timeout_seconds=300)


def test_a_request_has_the_path_of_its_resource(api: Apiserver, cluster: Cluster) -> None:
    api.faults += [reply(OBJECT)] * 4
    cluster.get(PODS, "team a", "p%1/x")
    cluster.get(NAMESPACES, None, "kube-system")
    cluster.create(JOBS, "default", {"kind": "Job"})
    cluster.patch(TESTRUNS, "default", "a", {"status": {}}, subresource="status")
    sent = [(request.method, request.path) for request in api.requests]
    assert sent == [
        ("GET", "/api/v1/namespaces/team%20a/pods/p%251%2Fx"),
        ("GET", "/api/v1/namespaces/kube-system"),
        ("POST", "/apis/batch/v1/namespaces/default/jobs"),
        ("PATCH", "/apis/sparktest.dev/v1alpha1/namespaces/default/testruns/a/status"),
    ]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_change_the_path_is_an_error(
    api: Apiserver, cluster: Cluster, name: str
) -> None:
    with pytest.raises(InvalidError):
        cluster.delete(JOBS, "default", name)
    with pytest.raises(InvalidError):
        cluster.get(JOBS, name, "a")
    assert api.requests == []


def test_a_dict_is_sent_as_a_merge_patch_and_a_list_as_a_json_patch(
    api: Apiserver, cluster: Cluster
) -> None:
    api.faults += [reply(OBJECT)] * 2
    operations = [{"op": "test", "path": "/metadata/uid", "value": "u"}]
    cluster.patch(TESTRUNS, "default", "a", {"metadata": {"finalizers": None}})
    cluster.patch(TESTRUNS, "default", "a", operations)
    assert [(request.headers["content-type"], request.body) for request in api.requests] == [
        ("application/merge-patch+json", {"metadata": {"finalizers": None}}),
        ("application/json-patch+json", operations),
    ]


def test_create_validates_fields_strictly(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(reply(OBJECT))
    cluster.create(JOBS, "default", {"spec": {"name": "ü\ud800"}})
    assert api.requests[0].query == {"fieldValidation": "Strict"}
    assert api.requests[0].body == {"spec": {"name": "ü\ud800"}}


def test_a_delete_has_the_uid_as_precondition(api: Apiserver, cluster: Cluster) -> None:
    api.faults += [reply(OBJECT), refuse(409, "Precondition failed: UID in precondition: u")]
    cluster.delete(JOBS, "default", "a", uid="u")
    assert api.requests[0].body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u"},
    }
    with pytest.raises(ConflictError, match="UID in precondition"):
        cluster.delete(JOBS, "default", "a", uid="u")


def test_every_request_has_the_token_and_a_user_agent(
    api: Apiserver, cluster: Cluster, kubeconfig: Path
) -> None:
    api.put("a")
    cluster.list(TESTRUNS)
    with watch(cluster):
        pass
    api.faults += [reply(OBJECT), chunks(b"log")]
    cluster.create(JOBS, "default", {})
    with cluster.pod_log("default", "p", "test"):
        pass
    assert len(api.requests) == 4
    for request in api.requests:
        assert request.headers["authorization"] == "Bearer first"
        assert request.headers["user-agent"].startswith("sparktest/")


def test_a_list_is_read_page_by_page(
    api: Apiserver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 2)
    made = [api.put(f"run-{number}") for number in range(5)]
    listing = cluster.list(TESTRUNS, label_selector="app=sparktest")
    assert listing.items == made
    assert listing.resource_version == made[-1]["metadata"]["resourceVersion"]
    assert [request.query.get("continue") for request in api.requests] == [None, "2", "4"]
    assert {request.query["labelSelector"] for request in api.requests} == {"app=sparktest"}


def test_no_page_is_read_after_max_items(
    api: Apiserver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 2)
    made = [api.put(f"run-{number}") for number in range(5)]
    assert cluster.list(TESTRUNS, max_items=3).items == made[:4]
    assert len(api.requests) == 2


def test_a_page_that_is_too_large_is_requested_in_smaller_pages(
    api: Apiserver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 40)
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 2000)
    for number in range(40):
        api.put(f"run-{number}")
    assert len(cluster.list(TESTRUNS).items) == 40


def test_a_list_without_items_is_empty(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(reply(b'{"items": null, "metadata": {"resourceVersion": "5"}}'))
    assert cluster.list(JOBS) == ([], "5")


def test_pages_that_have_expired_are_gone(api: Apiserver, cluster: Cluster) -> None:
    api.faults += [reply(b'{"items": [], "metadata": {"continue": "x"}}'), refuse(410, "expired")]
    with pytest.raises(GoneError):
        cluster.list(JOBS)


def test_the_uid_of_kube_system_identifies_the_cluster_and_is_read_once(
    api: Apiserver, cluster: Cluster
) -> None:
    api.faults.append(reply(b'{"metadata": {"uid": "u-1"}}'))
    assert [cluster.uid(), cluster.uid()] == ["u-1", "u-1"]
    assert len(api.requests) == 1


def test_the_setting_takes_precedence_over_the_uid_of_kube_system(
    api: Apiserver, kubeconfig: Path
) -> None:
    settings = Settings(kubeconfig=str(kubeconfig), cluster="mine")
    assert Cluster.connect(settings).uid() == "mine"
    assert api.requests == []


def test_the_error_for_an_unreadable_uid_names_the_setting(
    api: Apiserver, cluster: Cluster
) -> None:
    api.faults.append(refuse(403, "namespaces is forbidden"))
    with pytest.raises(ForbiddenError, match="SPARKTEST_CLUSTER"):
        cluster.uid()


def test_has_resource_reads_the_list_of_the_group(api: Apiserver, cluster: Cluster) -> None:
    api.faults += [
        reply(b'{"resources": [{"name": "testruns"}, {"name": "testruns/status"}]}'),
        reply(b'{"resources": [{"name": "other"}]}'),
        reply(b"404 page not found", status=404),
    ]
    assert [cluster.has_resource(TESTRUNS) for _ in range(3)] == [True, False, False]
    assert api.requests[0].path == "/apis/sparktest.dev/v1alpha1"


def test_connections_are_reused(api: Apiserver, cluster: Cluster) -> None:
    api.faults += [reply(OBJECT), refuse(404, "no"), reply(OBJECT), chunks(b"log")]
    cluster.get(JOBS, "default", "a")
    with pytest.raises(NotFoundError):
        cluster.get(JOBS, "default", "b")
    cluster.get(JOBS, "default", "a")
    with cluster.pod_log("default", "p", "test") as log:
        list(log)
    cluster.list(TESTRUNS)
    assert len({request.port for request in api.requests}) == 1
