"""Images that simulate states which a process cannot have, such as an eviction. Pure."""

import re

import msgspec

PREFIX = "simulate/"
COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?"
IMAGE = re.compile(
    rf"{DOMAIN}{COMPONENT}(?:/{COMPONENT})*(?::[\w][\w.-]{{0,127}})?(?:@[\w+.-]+:[0-9a-fA-F]{{32,}})?"
)


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to a container instead of running: it waits, it ends, or its pod fails.

    Args:
        waiting: the reasons of a container that never starts, in order.
        exit_code: the exit code of a container that ends.
        reason: why the container ended, or why the pod failed.
        message: the message that goes with the reason.
        fails_pod: the pod itself fails.
        unschedulable: the pod never gets a node.
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
    """Return what an image simulates; None for an image whose command is run.

    An invalid image name is simulated too: as on a real cluster, its container waits forever.
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
