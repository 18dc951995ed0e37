"""What a dev cluster begins with, and what follows at once from a write."""

import platform

from sparktest.devcluster.clock import Clock
from sparktest.devcluster.entries import Entry, Event, Object
from sparktest.devcluster.kinds import ACCOUNTS, CRDS, NAMESPACES, NODES, SYSTEM, Kind, Kinds
from sparktest.devcluster.openapi import VERSION
from sparktest.devcluster.resources import Options, Resources
from sparktest.devcluster.store import Store

NODE = "devcluster"
# As many as a kubelet takes by default.
PODS_AT_ONCE = 110
SYSTEM_NAMESPACES = ("default", SYSTEM, "kube-public")
ADDRESS = "127.0.0.1"


def open_up(store: Store, kinds: Kinds, resources: Resources) -> None:
    """Serve the CRDs that are kept, and make what is missing: namespaces and the node."""
    for entry in store.entries(CRDS.key):
        kinds.put(entry.decode())
    store.subscribe(lambda event: _follow(event, kinds, resources))
    for name in SYSTEM_NAMESPACES:
        _make(resources, NAMESPACES, {"metadata": {"name": name}})
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": platform.system().lower()}
    node = _make(resources, NODES, {"metadata": {"name": NODE, "labels": labels}})
    resources.set_status(NODES, node, lambda obj: obj.update(status=_machine(resources.clock)))


def _make(resources: Resources, kind: Kind, obj: Object) -> Entry:
    """The object of that name, made if it is not there."""
    name = obj["metadata"]["name"]
    if resources.store.get(kind.key, "", name) is None:
        resources.create(kind, "", obj, Options())
    return resources.entry(kind, "", name)


def _follow(event: Event, kinds: Kinds, resources: Resources) -> None:
    """Serve what a CRD says from the moment it is written; give a namespace its ServiceAccount."""
    if event.entry.kind == CRDS.key:
        serve = kinds.drop if event.type == "DELETED" else kinds.put
        serve(event.entry.decode())
    elif event.entry.kind == NAMESPACES.key and event.type == "ADDED":
        account = {"metadata": {"name": "default"}}
        resources.create(ACCOUNTS, event.entry.name, account, Options())


def _machine(clock: Clock) -> Object:
    """The status of the one node: this machine, which runs processes, not containers."""
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "DevClusterReady",
        "message": "pods run as processes of this machine",
        "lastHeartbeatTime": clock.stamp(),
        "lastTransitionTime": clock.stamp(),
    }
    return {
        "addresses": [{"type": "InternalIP", "address": ADDRESS}],
        "allocatable": {"pods": str(PODS_AT_ONCE)},
        "capacity": {"pods": str(PODS_AT_ONCE)},
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
