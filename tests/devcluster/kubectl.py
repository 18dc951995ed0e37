"""kubectl, run on one cluster in one namespace."""

import os
import shlex
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple

from tests.need import need_program

SECONDS = 60


class Said(NamedTuple):
    """What kubectl printed, and how it ended."""

    out: str
    err: str
    code: int

    def __str__(self) -> str:
        return f"{self.out}-- stderr\n{self.err}-- code {self.code}\n"


class Kubectl:
    """Runs kubectl with a kubeconfig; `{ns}` in a command stands for the namespace."""

    def __init__(self, kubeconfig: str, namespace: str, folder: Path) -> None:
        self.namespace = namespace
        self._program = need_program("kubectl")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": kubeconfig,
            "KUBECACHEDIR": str(folder / "cache"),
            "KUBE_EDITOR": "sed -i s/before/after/",
        }

    def __call__(self, command: str, stdin: str = "") -> Said:
        """What it says; with `stdin` for -f -."""
        done = subprocess.run(
            self._args(command),
            env=self._environment,
            check=False,
            timeout=SECONDS,
            input=self._placed(stdin).encode(),
            capture_output=True,
        )
        return Said(done.stdout.decode(), done.stderr.decode(), done.returncode)

    def says(self, command: str, stdin: str = "") -> str:
        """What it prints when all is well, and nothing beside it."""
        said = self(command, stdin)
        assert (said.err, said.code) == ("", 0), said
        return said.out

    def watches(self, command: str, meanwhile: tuple[str, ...], lines: int) -> Said:
        """What a command that does not end prints: its first lines.

        Args:
            command: what to run.
            meanwhile: commands to run once it printed its first line.
            lines: how many lines to wait for.
        """
        process = subprocess.Popen(
            self._args(command),
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout
        late = threading.Timer(SECONDS, process.kill)
        late.start()
        try:
            found = [process.stdout.readline()]
            for other in meanwhile:
                self(other)
            found += [process.stdout.readline() for _ in range(lines - 1)]
        finally:
            late.cancel()
            process.terminate()
            _, err = process.communicate()
        return Said("".join(found), err, 0)

    def _args(self, command: str) -> list[str]:
        return [self._program, "-n", self.namespace, *shlex.split(self._placed(command))]

    def _placed(self, text: str) -> str:
        return text.replace("{ns}", self.namespace)
