"""TestRuns and runs for tests on a real cluster."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sparktest.domain import Origin, Run, Status
from sparktest.errors import NotFoundError
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import job_name_of_api_run


def exists(cluster: Cluster, path: str) -> bool:
    """Return True if this path of the API exists."""
    try:
        return bool(cluster._transport.call("GET", path))
    except NotFoundError:
        return False


def named(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "sparktest.dev/v1alpha1",
        "kind": "TestRun",
        "metadata": {"name": name},
        "spec": {"definitionName": "none of this name"},
    }


def a_run(namespace: str, **given: Any) -> Run:
    run_id = str(uuid.uuid4())
    base: dict[str, Any] = {
        "id": run_id,
        "name": "check",
        "status": Status.PENDING,
        "origin": Origin.API,
        "created_at": datetime.now(UTC),
        "image": "busybox:1.35",
        "namespace": namespace,
        "job_name": job_name_of_api_run(run_id),
        "timeout_seconds": 120,
    }
    return Run(**(base | given))
