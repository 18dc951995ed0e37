"""An unmodified kopf operator on the dev cluster."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.devcluster.app import DevCluster
from tests.devcluster import greeter
from tests.devcluster.client import Client, eventually

RUNS = "/apis/sparktest.dev/v1alpha1/namespaces/default/testruns"
FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"


@pytest.fixture
def client(testrun_cluster: DevCluster, namespace: str) -> Iterator[Client]:
    made = Client(testrun_cluster)
    made.namespace = namespace
    yield made
    made.close()


@pytest.fixture
def operator(testrun_cluster: DevCluster, namespace: str, tmp_path: Path) -> Iterator[Path]:
    """The log of a running operator."""
    command = [sys.executable, "-m", "kopf", "run", "--standalone", "--namespace", namespace]
    environment = os.environ | {"KUBECONFIG": str(testrun_cluster.kubeconfig)}
    log = tmp_path / "operator.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, str(greeter.__file__)], env=environment, stdout=out, stderr=out
        )
    yield log
    process.terminate()
    assert process.wait(timeout=60) == 0, log.read_text()


def reasons(client: Client) -> set[str]:
    events = client.get("/api/v1/namespaces/default/events")["items"]
    return {event["reason"] for event in events}


def test_an_operator_handles_creation_change_and_deletion(client: Client, operator: Path) -> None:
    client.create(RUNS, {"metadata": {"name": "hello"}, "spec": {"image": "busybox"}})

    greeted = eventually(lambda: client.get(f"{RUNS}?labelSelector=greeted%3Dyes")["items"])

    (run,) = greeted
    assert FINALIZER in run["metadata"]["finalizers"]
    eventually(lambda: client.get(f"{RUNS}/hello").get("status", {}).get("message"))
    assert client.get(f"{RUNS}/hello")["status"]["message"] == "hello busybox"
    client.patch(f"{RUNS}/hello", {"spec": {"cancelled": True}})
    eventually(lambda: client.get(f"{RUNS}/hello")["status"].get("reason") == "Cancelled")
    client.delete(f"{RUNS}/hello")
    eventually(lambda: client.call("GET", f"{RUNS}/hello").code == 404)
    eventually(lambda: {"Greeted", "Left"} <= reasons(client))
    assert "Traceback" not in operator.read_text()
