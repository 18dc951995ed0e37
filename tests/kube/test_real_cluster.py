"""Cluster and Informer on a real cluster."""

import threading
import time
import uuid
from pathlib import Path

import pytest
import yaml

from sparktest.controller.informer import Informer
from sparktest.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    MalformedError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
)
from sparktest.kube import cluster as module
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import build_job
from sparktest.kube.resources import JOBS, NAMESPACES, PODS, TESTRUNS
from sparktest.settings import Settings
from tests.e2e.program import until
from tests.kube.real_runs import a_run, named
from tests.real_cluster import namespace_in
from tests.requirements import require_cluster

pytestmark = pytest.mark.e2e


def test_the_uid_of_kube_system_identifies_the_cluster(real: Cluster) -> None:
    assert str(uuid.UUID(real.uid())) == real.uid()


def test_has_resource_is_true_only_for_kinds_that_are_served(real: Cluster) -> None:
    assert real.has_resource(TESTRUNS)
    assert real.has_resource(PODS)
    assert not real.has_resource(TESTRUNS._replace(version="v9"))
    assert not real.has_resource(JOBS._replace(plural="nojobs"))


def test_errors_of_the_api_server_raise_the_matching_class(real: Cluster, namespace: str) -> None:
    with pytest.raises(NotFoundError, match='"none" not found'):
        real.get(TESTRUNS, namespace, "none")
    uid = real.create(TESTRUNS, namespace, named("errors"))["metadata"]["uid"]
    with pytest.raises(ConflictError, match="already exists"):
        real.create(TESTRUNS, namespace, named("errors"))
    with pytest.raises(ConflictError, match="the UID in the precondition"):
        real.delete(TESTRUNS, namespace, "errors", uid=str(uuid.uuid4()))
    stale = [{"op": "test", "path": "/metadata/uid", "value": "other"}]
    with pytest.raises(InvalidError):
        real.patch(TESTRUNS, namespace, "errors", stale)
    with pytest.raises(ConflictError, match="the object has been modified"):
        real.patch(TESTRUNS, namespace, "errors", {"metadata": {"resourceVersion": "1"}})
    with pytest.raises(InvalidError) as caught:
        real.create(JOBS, namespace, {"metadata": {"name": "empty"}})
    assert "/spec/template/spec/containers" in {found["pointer"] for found in caught.value.errors}
    with pytest.raises(MalformedError, match="unknown field"):
        real.create(TESTRUNS, namespace, named("strict") | {"spce": {}})
    real.delete(TESTRUNS, namespace, "errors", uid=uid)
    with pytest.raises(NotFoundError):
        real.get(TESTRUNS, namespace, "errors")


def test_a_json_patch_adds_and_removes_a_finalizer(real: Cluster, namespace: str) -> None:
    real.create(TESTRUNS, namespace, named("finalizer"))
    add = [{"op": "add", "path": "/metadata/finalizers", "value": ["sparktest.dev/x"]}]
    real.patch(TESTRUNS, namespace, "finalizer", add)
    real.delete(TESTRUNS, namespace, "finalizer")
    assert real.get(TESTRUNS, namespace, "finalizer")["metadata"]["deletionTimestamp"]
    remove = [{"op": "remove", "path": "/metadata/finalizers/0"}]
    real.patch(TESTRUNS, namespace, "finalizer", remove)
    with pytest.raises(NotFoundError):
        real.get(TESTRUNS, namespace, "finalizer")


def test_a_terminating_namespace_rejects_new_objects_with_its_reason(real: Cluster) -> None:
    with namespace_in(real, "terminating") as name:
        held = named("held")
        held["metadata"]["finalizers"] = ["sparktest.dev/x"]
        real.create(TESTRUNS, name, held)
        real.delete(NAMESPACES, None, name)
        with pytest.raises(ForbiddenError, match="being terminated") as caught:
            real.create(JOBS, name, build_job(a_run(name)))
        assert "/metadata/namespace" in {found["pointer"] for found in caught.value.errors}
        real.patch(TESTRUNS, name, "held", {"metadata": {"finalizers": None}})


def test_a_list_is_read_in_pages(
    real: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 2)
    for number in range(5):
        manifest = named(f"page-{number}")
        manifest["metadata"]["labels"] = {"page": "yes"}
        real.create(TESTRUNS, namespace, manifest)
    listing = real.list(TESTRUNS, namespace, label_selector="page=yes")
    assert [item["metadata"]["name"] for item in listing.items] == [f"page-{n}" for n in range(5)]
    assert listing.resource_version.isdecimal()


def test_a_watch_yields_changes_and_ends_when_closed(real: Cluster, namespace: str) -> None:
    version = real.list(TESTRUNS, namespace).resource_version
    with real.watch(TESTRUNS, namespace, resource_version=version, timeout_seconds=300) as events:
        real.create(TESTRUNS, namespace, named("watched"))
        event = next(events)
        assert (event.type, event.object["metadata"]["name"]) == ("ADDED", "watched")
        closer = threading.Timer(0.2, events.close)
        closer.start()
        began = time.monotonic()
        assert [event for event in events if event.type != "BOOKMARK"] == []
        assert time.monotonic() - began < 10
        closer.join()


def test_a_watch_from_an_old_version_is_gone(real: Cluster) -> None:
    # Not of pods: an API server that started with an empty store has theirs from version 1 on.
    with (
        pytest.raises(GoneError),
        real.watch(TESTRUNS, resource_version="1", timeout_seconds=5) as events,
    ):
        list(events)


def test_a_wrong_token_and_a_wrong_authority_are_different_errors(
    real: Cluster, tmp_path: Path
) -> None:
    document = yaml.safe_load(Path(require_cluster()).read_text(encoding="utf-8"))
    for user in document["users"]:
        user["user"] = {"token": "wrong"}
    path = tmp_path / "kubeconfig"
    settings = Settings(kubeconfig=str(path))
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(UnauthorizedError):
        Cluster.connect(settings).uid()
    for entry in document["clusters"]:
        entry["cluster"].pop("certificate-authority", None)
        entry["cluster"].pop("certificate-authority-data", None)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(UnavailableError, match="certificate verify failed"):
        Cluster.connect(settings).uid()


def test_an_informer_follows_the_cluster(real: Cluster, namespace: str) -> None:
    reported: list[str] = []
    informer = Informer(
        real,
        TESTRUNS,
        parse=lambda obj: str(obj["metadata"]["name"]),
        namespace=namespace,
        on_change=reported.append,
    )
    real.create(TESTRUNS, namespace, named("before"))
    informer.start()
    try:
        assert informer.synced.wait(60)
        assert informer.get(namespace, "before")
        written = real.create(TESTRUNS, namespace, named("during"))
        informer.put(written)
        assert informer.get(namespace, "during")
        real.delete(TESTRUNS, namespace, "before")
        until("the deletion is seen", lambda: not informer.get(namespace, "before"), 10, 0.01)
        assert informer.problem is None
        assert reported.count("before") == 2
    finally:
        began = time.monotonic()
        informer.stop()
    assert time.monotonic() - began < 2
