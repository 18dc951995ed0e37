"""What the workers of pods need of the dev cluster around them."""

from pathlib import Path
from typing import NamedTuple

from sparktest.devcluster.bootstrap import NODE
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.entries import Object
from sparktest.devcluster.environment import ConfigError, command, environment
from sparktest.devcluster.kinds import CONFIGMAPS, NODES, SECRETS
from sparktest.devcluster.processes import MARK, Task
from sparktest.devcluster.recorder import Recorder
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.simulate import simulated

IMAGE_NOTE = "named, not pulled: the command runs as a process of this machine"


class Surroundings(NamedTuple):
    """`folder` holds the homes and logs of pods, `mark` tells their processes from others."""

    resources: Resources
    recorder: Recorder
    clock: Clock
    folder: Path
    mark: str

    def log_path(self, uid: str, container: str) -> Path:
        """The log file of a container."""
        return self.folder / uid / f"{container}.log"

    def task(self, pod: Object, container: Object) -> Task:
        """What to run for a container, in a folder of its own.

        Raises:
            ConfigError: something that the container refers to is not there.
        """
        if container.get("volumeMounts"):
            raise ConfigError("volumeMounts: the dev cluster mounts no volumes")
        meta = pod["metadata"]
        root = self.folder / meta["uid"]
        home, tmp = root / container["name"], root / "tmp"
        for folder in (home, tmp):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

        def lookup(kind: str, name: str) -> Object | None:
            key = SECRETS.key if kind == "Secret" else CONFIGMAPS.key
            entry = self.resources.store.get(key, meta["namespace"], name)
            return entry.decode() if entry else None

        known = environment(container, pod, home, tmp, lookup)
        return Task(
            argv=command(container, known),
            env={**known, MARK: f"{self.mark}/{meta['uid']}"},
            cwd=container.get("workingDir") or str(home),
            log=str(self.log_path(meta["uid"], container["name"])),
        )

    def unschedulable(self, pod: Object) -> str:
        """Why there is no node for the pod; empty where there is one."""
        for container in pod["spec"]["containers"]:
            pretence = simulated(container.get("image", ""))
            if pretence and pretence.unschedulable:
                return f"0/1 nodes are available: {pretence.message}"
        node = self.resources.store.get(NODES.key, "", NODE)
        wanted = pod["spec"].get("nodeSelector") or {}
        if node and wanted.items() <= node.labels.items():
            return ""
        return "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."

    def note(
        self,
        pod: Object,
        reason: str,
        message: str,
        *,
        container: str = "",
        component: str = "kubelet",
        warning: bool = False,
    ) -> None:
        """Record an Event about the pod, or about a container of it."""
        self.recorder.record(
            pod, reason, message, component=component, warning=warning, container=container
        )
