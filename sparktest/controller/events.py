"""Record Events on TestRuns: an Event that exists is counted up instead of created again."""

from sparktest.errors import ConflictError, NotFoundError
from sparktest.kube.cluster import Cluster
from sparktest.kube.fields import Object, integer
from sparktest.kube.resources import EVENTS


def record_event(cluster: Cluster, event: Object, *, again: bool) -> None:
    """Create the Event; if there is one of this name, count it up if `again`, else leave it.

    Raises:
        SparkTestError: it was not recorded.
    """
    namespace, name = event["metadata"]["namespace"], event["metadata"]["name"]
    try:
        cluster.create(EVENTS, namespace, event)
    except ConflictError:
        if again:
            _count(cluster, namespace, name, event)


def _count(cluster: Cluster, namespace: str, name: str, event: Object) -> None:
    # By a list: the controller has no right to get Events.
    found = cluster.list(EVENTS, namespace, field_selector=f"metadata.name={name}").items
    if not found:
        return  # it has expired since
    changed = {
        "count": (integer(found[0], "count") or 1) + 1,
        "lastTimestamp": event["lastTimestamp"],
        "message": event["message"],
    }
    try:
        cluster.patch(EVENTS, namespace, name, changed)
    except NotFoundError:
        return
