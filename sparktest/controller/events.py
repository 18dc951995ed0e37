"""Kubernetes Events on TestRuns, for `kubectl describe`. Best effort: nothing waits for them."""

import hashlib
import logging
from datetime import UTC, datetime

from sparktest.controller.status import rfc3339
from sparktest.controller.testruns import TestRunView
from sparktest.errors import ConflictError, SparkTestError
from sparktest.kube.cluster import EVENTS, TESTRUNS, Cluster
from sparktest.kube.fields import Object

log = logging.getLogger(__name__)

COMPONENT = "sparktest-controller"
MAX_MESSAGE = 1024


def record_warning(cluster: Cluster, testrun: TestRunView, reason: str, message: str) -> None:
    """Create a Warning Event on the TestRun; one per reason, until that expires."""
    try:
        cluster.create(EVENTS, testrun.namespace, build_event(testrun, reason, message))
    except ConflictError:
        pass
    except SparkTestError as error:
        log.warning("event not created testrun=%s error=%s", testrun.name, error.detail)


def build_event(
    testrun: TestRunView, reason: str, message: str, now: datetime | None = None
) -> Object:
    """Return the Event; it has the same name for the same reason of the same TestRun."""
    digest = hashlib.sha256(f"{testrun.uid} {reason}".encode()).hexdigest()[:16]
    at = rfc3339(now or datetime.now(UTC))
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": f"{testrun.name[:230]}.{digest}", "namespace": testrun.namespace},
        "involvedObject": {
            "apiVersion": TESTRUNS.api_version,
            "kind": TESTRUNS.kind,
            "namespace": testrun.namespace,
            "name": testrun.name,
            "uid": testrun.uid,
        },
        "type": "Warning",
        "reason": reason,
        "message": message[:MAX_MESSAGE],
        "source": {"component": COMPONENT},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
