"""What the workers of pods need of the dev cluster around them."""

from pathlib import Path
from typing import NamedTuple

from sparktest.devcluster.clock import Clock
from sparktest.devcluster.entries import Object
from sparktest.devcluster.environment import ConfigError, command, environment
from sparktest.devcluster.kinds import CONFIGMAPS, SECRETS
from sparktest.devcluster.processes import MARK, Task
from sparktest.devcluster.recorder import Recorder
from sparktest.devcluster.resources import Resources


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
        home, tmp = root / container["name"], root / ".tmp"  # no container has that name
        for folder in (root, home, tmp):
            folder.mkdir(mode=0o700, exist_ok=True)

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
