"""Images that simulate states that a process cannot have, such as an eviction. Pure."""

import re

import msgspec

PREFIX = "simulate/"
COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?"
IMAGE = re.compile(
    rf"{DOMAIN}{COMPONENT}(?:/{COMPONENT})*(?::[\w][\w.-]{{0,127}})?(?:@[\w+.-]+:[0-9a-fA-F]{{32,}})?"
)


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """The simulated state of a container or its pod.

    Attributes:
        waiting: the reasons why a container does not start, one after the other.
        exit_code: the exit code of a container that ends.
        reason: of the end of the container, or of the failure of the pod.
        message: for the reason.
        fails_pod: the pod fails as a whole.
        unschedulable: the pod is never bound to a node.
    """

    waiting: tuple[str, ...] = ()
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    fails_pod: bool = False
    unschedulable: bool = False


def _message(name: str) -> str:
    return f"simulated by the image {PREFIX}{name}"


IMAGES = {
    "pull-error": Simulation(
        waiting=("ErrImagePull", "ImagePullBackOff"), message=_message("pull-error")
    ),
    "invalid-name": Simulation(waiting=("InvalidImageName",), message=_message("invalid-name")),
    "never-pull": Simulation(waiting=("ErrImageNeverPull",), message=_message("never-pull")),
    "config-error": Simulation(
        waiting=("CreateContainerConfigError",), message=_message("config-error")
    ),
    "creating": Simulation(waiting=("ContainerCreating",)),
    "unschedulable": Simulation(unschedulable=True, message=_message("unschedulable")),
    "succeed": Simulation(exit_code=0, reason="Completed"),
    "fail": Simulation(exit_code=1, reason="Error"),
    "start-error": Simulation(exit_code=128, reason="StartError", message=_message("start-error")),
    "oom": Simulation(exit_code=137, reason="OOMKilled"),
    "evicted": Simulation(
        fails_pod=True,
        reason="Evicted",
        message=f"The node was low on memory ({_message('evicted')}).",
    ),
    "node-lost": Simulation(fails_pod=True, reason="NodeLost", message=_message("node-lost")),
}


def simulation_of(image: str) -> Simulation | None:
    """Return the simulation of an image, or None.

    For an invalid image name, its container waits forever, as on a real cluster.
    """
    if not IMAGE.fullmatch(image):
        text = f'Failed to apply default image tag "{image}": invalid reference format'
        return Simulation(waiting=("InvalidImageName",), message=text)
    if not image.startswith(PREFIX):
        return None
    name = image.removeprefix(PREFIX).partition(":")[0]
    known = ", ".join(f"{PREFIX}{key}" for key in IMAGES)
    unknown = Simulation(
        waiting=("ErrImagePull", "ImagePullBackOff"), message=f"there is no {image}, only {known}"
    )
    return IMAGES.get(name, unknown)
