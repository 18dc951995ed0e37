"""What a pod asks for that a process of this machine cannot have or does not get. Pure."""

from collections.abc import Iterator

from sparktest.devcluster.kinds import PODS
from sparktest.devcluster.objects import all_containers, mounted_volumes
from sparktest.devcluster.pod_validation import FILE_SOURCES, VOLUME_TYPES
from sparktest.devcluster.simulate import simulation_of
from sparktest.devcluster.stored_objects import Object

UNSUPPORTED = "Unsupported"
IGNORED = "FieldsIgnored"
IGNORED_MESSAGE = "Its commands run as processes of this machine, without"
REAL_CLUSTER = "run on a real cluster: sparktest up --context NAME"
# Everything else in a container's resources is a device.
RESOURCES = ("cpu", "memory", "ephemeral-storage")
DEFAULT_TOLERATIONS = PODS.schema["properties"]["spec"]["properties"]["tolerations"]["default"]
# Names separated by spaces.
IGNORED_OF_POD = (
    "affinity dnsConfig hostAliases hostname imagePullSecrets nodeSelector priorityClassName "
    "runtimeClassName schedulingGates securityContext subdomain topologySpreadConstraints"
)
IGNORED_OF_CONTAINER = (
    "lifecycle livenessProbe ports readinessProbe resources securityContext startupProbe"
)


def unsupported(pod: Object) -> str:
    """Return what the pod needs and a process cannot have, and the way out; "" for nothing."""
    found = next(_missing_features(pod["spec"]), "")
    return f"the dev cluster cannot {found}; {REAL_CLUSTER}" if found else ""


def ignored_fields(pod: Object) -> list[str]:
    """Return the fields of a pod that have no effect on its processes, in order."""
    spec = pod["spec"]
    real = [each for each in all_containers(spec) if not simulation_of(each.get("image", ""))]
    if not real:
        return []
    found = {field for field in IGNORED_OF_POD.split() if spec.get(field)}
    found |= {field for each in real for field in IGNORED_OF_CONTAINER.split() if each.get(field)}
    if any(each not in DEFAULT_TOLERATIONS for each in spec.get("tolerations") or ()):
        found.add("tolerations")
    if spec.get("automountServiceAccountToken") or spec.get("serviceAccountName") != "default":
        found.add("the token of its ServiceAccount")
    return ["image", *sorted(found)]


def _missing_features(spec: Object) -> Iterator[str]:
    containers = all_containers(spec)
    for container in containers:
        name, image = container["name"], container.get("image", "")
        if not container.get("command") and not simulation_of(image):
            yield (
                f"run container {name} without a command: the image {image}, "
                "which names its entry point, is not pulled"
            )
        limits = (container.get("resources") or {}).get("limits") or {}
        for device in sorted(limits.keys() - {*RESOURCES}):
            yield f"give container {name} the resource {device}"
        for device in container.get("volumeDevices") or ():
            yield f"give container {name} the device {device.get('devicePath')}"
    if spec.get("resourceClaims"):
        yield "give a pod the devices of resourceClaims"
    for volume in mounted_volumes(spec, containers):
        yield from (f"mount volume {volume['name']} ({kind})" for kind in _missing(volume))


def _missing(volume: Object) -> Iterator[str]:
    yield from sorted(volume.keys() - {*VOLUME_TYPES, "name"})
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield from sorted(source.keys() - {*FILE_SOURCES})
