"""Create the objects that every cluster has, and react to new CRDs and namespaces."""

import platform

from sparktest.devcluster.clock import Clock
from sparktest.devcluster.kinds import ACCOUNTS, CRDS, NAMESPACES, NODES, SYSTEM, Kind, Kinds
from sparktest.devcluster.openapi import VERSION
from sparktest.devcluster.resources import Options, Resources
from sparktest.devcluster.store import Store
from sparktest.devcluster.stored_objects import Object, StoredObject, WatchEvent

NODE = "devcluster"
# The kubelet's default.
MAX_PODS = 110
SYSTEM_NAMESPACES = ("default", SYSTEM, "kube-public")
ADDRESS = "127.0.0.1"


def bootstrap(store: Store, kinds: Kinds, resources: Resources) -> None:
    """Serve the stored CRDs, and create the namespaces and the node if they are missing."""
    for stored in store.objects(CRDS.key):
        kinds.put(stored.decode())
    store.subscribe(lambda event: _on_event(event, kinds, resources))
    for name in SYSTEM_NAMESPACES:
        _ensure(resources, NAMESPACES, {"metadata": {"name": name}})
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": platform.system().lower()}
    node = _ensure(resources, NODES, {"metadata": {"name": NODE, "labels": labels}})
    resources.set_status(NODES, node, lambda obj: obj.update(status=_node_status(resources.clock)))


def _ensure(resources: Resources, kind: Kind, obj: Object) -> StoredObject:
    """Return the object with this name; create it if it does not exist."""
    name = obj["metadata"]["name"]
    if resources.store.get(kind.key, "", name) is None:
        resources.create(kind, "", obj, Options())
    return resources.stored(kind, "", name)


def _on_event(event: WatchEvent, kinds: Kinds, resources: Resources) -> None:
    """Serve the kinds of a CRD as soon as it is stored; create a namespace's ServiceAccount."""
    if event.object.kind == CRDS.key:
        serve = kinds.drop if event.type == "DELETED" else kinds.put
        serve(event.object.decode())
    elif event.object.kind == NAMESPACES.key and event.type == "ADDED":
        account = {"metadata": {"name": "default"}}
        resources.create(ACCOUNTS, event.object.name, account, Options())


def _node_status(clock: Clock) -> Object:
    """Return the status of the only node: this machine."""
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "DevClusterReady",
        "message": "pods run as processes of this machine",
        "lastHeartbeatTime": clock.timestamp(),
        "lastTransitionTime": clock.timestamp(),
    }
    return {
        "addresses": [{"type": "InternalIP", "address": ADDRESS}],
        "allocatable": {"pods": str(MAX_PODS)},
        "capacity": {"pods": str(MAX_PODS)},
        "conditions": [condition],
        "nodeInfo": {
            "kubeletVersion": VERSION["gitVersion"],
            "osImage": platform.system(),
            "kernelVersion": platform.release(),
            "operatingSystem": platform.system().lower(),
            "architecture": platform.machine(),
            "containerRuntimeVersion": "process://1",
        },
    }
