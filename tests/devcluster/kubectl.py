"""Run kubectl on one cluster in one namespace."""

import os
import shlex
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple

from tests.requirements import require_program

TIMEOUT_SECONDS = 60


class Result(NamedTuple):
    """The output and the exit code of kubectl."""

    out: str
    err: str
    code: int

    def __str__(self) -> str:
        return f"{self.out}-- stderr\n{self.err}-- code {self.code}\n"


class Kubectl:
    """kubectl with a kubeconfig; `{ns}` in a command stands for the namespace."""

    def __init__(self, kubeconfig: str, namespace: str, folder: Path) -> None:
        self.namespace = namespace
        self._program = require_program("kubectl")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": kubeconfig,
            "KUBECACHEDIR": str(folder / "cache"),
            "KUBE_EDITOR": "sed -i s/before/after/",
        }

    def __call__(self, command: str, stdin: str = "") -> Result:
        """Run a command; `stdin` is for -f -."""
        done = subprocess.run(
            self._args(command),
            env=self._environment,
            check=False,
            timeout=TIMEOUT_SECONDS,
            input=self._in_namespace(stdin).encode(),
            capture_output=True,
        )
        return Result(done.stdout.decode(), done.stderr.decode(), done.returncode)

    def output(self, command: str, stdin: str = "") -> str:
        """Run a command that must succeed without warnings; return its output."""
        result = self(command, stdin)
        assert (result.err, result.code) == ("", 0), result
        return result.out

    def watch(self, command: str, meanwhile: tuple[str, ...], lines: int) -> Result:
        """Return the first lines of a command that does not end.

        Args:
            command: the command.
            meanwhile: commands to run after its first line.
            lines: the number of lines to wait for.
        """
        process = subprocess.Popen(
            self._args(command),
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout
        late = threading.Timer(TIMEOUT_SECONDS, process.kill)
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
        return Result("".join(found), err, 0)

    def _args(self, command: str) -> list[str]:
        return [self._program, "-n", self.namespace, *shlex.split(self._in_namespace(command))]

    def _in_namespace(self, text: str) -> str:
        return text.replace("{ns}", self.namespace)


class Step(NamedTuple):
    """A kubectl command of a scenario. All of its output is compared, with these exceptions.

    Args:
        command: the command line without kubectl.
        stdin: the text for `-f -`.
        within: each line of the dev cluster has to be in the output of the real one.
        fields: likewise, but only the names of explained fields are compared.
        lines: the command does not end; compare its first lines.
        meanwhile: commands to run once it has printed its first line.
    """

    command: str
    stdin: str = ""
    within: bool = False
    fields: bool = False
    lines: int = 0
    meanwhile: tuple[str, ...] = ()


def steps(text: str, **stdin: str) -> list[Step]:
    """Parse one step per line; a name behind `<` selects its stdin."""
    lines = [line.strip().rpartition(" < ") for line in text.strip().splitlines()]
    return [Step(command, stdin[name]) if command else Step(name) for command, _, name in lines]
