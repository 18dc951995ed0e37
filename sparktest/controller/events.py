"""Events on TestRuns, for those who ask `kubectl describe`. Best effort: none is waited for."""

import hashlib
import logging
from datetime import UTC, datetime

from sparktest.controller.conditions import rfc3339
from sparktest.errors import ConflictError, SparkTestError
from sparktest.kube.cluster import EVENTS, TESTRUNS, Cluster
from sparktest.kube.pods import Object, section

log = logging.getLogger(__name__)

COMPONENT = "sparktest-controller"
MAX_MESSAGE = 1024


def warn(cluster: Cluster, testrun: Object, reason: str, message: str) -> None:
    """Say something in a Warning Event on the TestRun; the same thing once, until it expires."""
    metadata = section(testrun, "metadata")
    try:
        cluster.create(EVENTS, metadata["namespace"], manifest(testrun, reason, message))
    except ConflictError:
        pass
    except SparkTestError as error:
        log.warning("event not written testrun=%s error=%s", metadata["name"], error.detail)


def manifest(testrun: Object, reason: str, message: str, now: datetime | None = None) -> Object:
    """The Event; its name is the same for the same reason of the same TestRun."""
    metadata = section(testrun, "metadata")
    digest = hashlib.sha256(f"{metadata['uid']} {reason}".encode()).hexdigest()[:16]
    at = rfc3339(now or datetime.now(UTC))
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {
            "name": f"{metadata['name'][:230]}.{digest}",
            "namespace": metadata["namespace"],
        },
        "involvedObject": {
            "apiVersion": TESTRUNS.api_version,
            "kind": TESTRUNS.kind,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "type": "Warning",
        "reason": reason,
        "message": message[:MAX_MESSAGE],
        "source": {"component": COMPONENT},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
