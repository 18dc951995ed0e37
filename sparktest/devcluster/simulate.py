"""Images that only pretend: they give a pod a state that a process cannot. Pure."""

import re

import msgspec

PREFIX = "simulate/"
COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?"
IMAGE = re.compile(
    rf"{DOMAIN}{COMPONENT}(?:/{COMPONENT})*(?::[\w][\w.-]{{0,127}})?(?:@[\w+.-]+:[0-9a-fA-F]{{32,}})?"
)


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the container instead of running: it waits, or it ends, or its pod does.

    Args:
        waiting: the reasons of a container that does not start, one after the other.
        exit_code: with which the container ends, if it ends.
        reason: why the container ended; for the pod's own end, why that.
        ends_pod: the pod itself fails, with this reason.
        unschedulable: the pod never gets a node.
    """

    waiting: tuple[str, ...] = ()
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    ends_pod: bool = False
    unschedulable: bool = False


def _says(name: str) -> str:
    return f"simulated by the image {PREFIX}{name}"


IMAGES = {
    "pull-error": Simulated(
        waiting=("ErrImagePull", "ImagePullBackOff"), message=_says("pull-error")
    ),
    "invalid-name": Simulated(waiting=("InvalidImageName",), message=_says("invalid-name")),
    "never-pull": Simulated(waiting=("ErrImageNeverPull",), message=_says("never-pull")),
    "config-error": Simulated(
        waiting=("CreateContainerConfigError",), message=_says("config-error")
    ),
    "creating": Simulated(waiting=("ContainerCreating",)),
    "unschedulable": Simulated(unschedulable=True, message=_says("unschedulable")),
    "succeed": Simulated(exit_code=0, reason="Completed"),
    "fail": Simulated(exit_code=1, reason="Error"),
    "start-error": Simulated(exit_code=128, reason="StartError", message=_says("start-error")),
    "oom": Simulated(exit_code=137, reason="OOMKilled"),
    "evicted": Simulated(
        ends_pod=True, reason="Evicted", message=f"The node was low on memory ({_says('evicted')})."
    ),
    "node-lost": Simulated(ends_pod=True, reason="NodeLost", message=_says("node-lost")),
}


def simulated(image: str) -> Simulated | None:
    """What an image pretends; None for one that is taken as it is.

    A name that is no image's is not pulled by the real one either: it waits for ever.
    """
    if not IMAGE.fullmatch(image):
        text = f'Failed to apply default image tag "{image}": invalid reference format'
        return Simulated(waiting=("InvalidImageName",), message=text)
    if not image.startswith(PREFIX):
        return None
    name = image.removeprefix(PREFIX).partition(":")[0]
    known = ", ".join(f"{PREFIX}{word}" for word in IMAGES)
    unknown = Simulated(
        waiting=("ErrImagePull", "ImagePullBackOff"), message=f"there is no {image}, only {known}"
    )
    return IMAGES.get(name, unknown)
