"""The defaults of a pod, where its template is silent. Pure."""

from typing import Any

from sparktest.kube.fields import Object, mapping

# A shell as PID 1 ignores TERM, so stopping such a container takes this long.
GRACE_SECONDS = 10


def with_defaults(pod: Object, *, restricted: bool) -> Object:
    """Return the spec of a pod with SparkTest's defaults; what it says itself stays.

    Call it last, with all containers of the pod. With `restricted` it gets what Pod Security
    `restricted` requires, except for a user: that is the template's or the image's.
    """
    security: Object = {}
    if not _is_windows(pod):
        security["seccompProfile"] = {"type": "RuntimeDefault"}
    if restricted:
        security["runAsNonRoot"] = True
    security |= mapping(pod, "securityContext")
    defaults: Object = {
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": bool(pod.get("serviceAccountName")),
    }
    pod = defaults | pod | ({"securityContext": security} if security else {})
    if not _is_windows(pod):
        for kind in ("initContainers", "containers"):
            if kind in pod:
                pod[kind] = [_with_defaults(each, restricted=restricted) for each in pod[kind]]
    return pod


def _is_windows(pod: Object) -> bool:
    # Kubernetes refuses the defaults of Linux there, and Pod Security does not require them.
    return mapping(pod, "os").get("name") == "windows"


def _with_defaults(container: Object, *, restricted: bool) -> Object:
    security = mapping(container, "securityContext")
    defaults: Object = {}
    if not _needs_escalation(security):
        defaults["allowPrivilegeEscalation"] = False
    security = defaults | security
    if restricted:
        security["capabilities"] = {"drop": ["ALL"], **mapping(security, "capabilities")}
    return {**container, "securityContext": security} if security else container


def _needs_escalation(security: dict[str, Any]) -> bool:
    """Return True if Kubernetes refuses `allowPrivilegeEscalation: false` for the container."""
    added = mapping(security, "capabilities").get("add")
    return bool(security.get("privileged")) or (
        isinstance(added, list) and "CAP_SYS_ADMIN" in added
    )
