"""Runs the script that clones a repository, with a shell and the git of this machine."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from sparktest.kube.git_script import CREDENTIALS, FOLDER, PATH, REF, SCRIPT, SECRET, URL
from tests.kube.test_script import SHELLS
from tests.requirements import require_program


class Clone(NamedTuple):
    """What is left of a clone."""

    code: int
    output: str
    message: str
    folder: Path

    @property
    def said(self) -> str:
        return (self.folder / "say.txt").read_text().strip()


class Cloner:
    """Runs the script in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.credentials = folder / "its credentials"

    def __call__(self, url: str, ref: str = "HEAD", *, shell: str = "dash", **env: str) -> Clone:
        with self.start(url, ref, shell=shell, **env) as process:
            output, _ = process.communicate(timeout=60)
        return self.left(process.returncode, output)

    def left(self, code: int, output: str) -> Clone:
        assert not list((self.folder / "t m p").iterdir()), "its own files are removed"
        return Clone(code, output, (self.folder / "report").read_text(), self.folder / "a tree")

    def start(self, url: str, ref: str, *, shell: str, **env: str) -> subprocess.Popen[str]:
        tree, report = self.folder / "a tree", self.folder / "report"
        for folder in (tree, self.credentials, self.folder / "t m p"):
            folder.mkdir(exist_ok=True)
        report.write_text("")
        name, *options = SHELLS[shell]
        variables = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self.folder / "t m p"),
            "SPARKTEST_TERMINATION_LOG": str(report),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
            URL: url,
            REF: ref,
            PATH: "",
            FOLDER: str(tree),
            SECRET: "",
            CREDENTIALS: str(self.credentials),
        }
        return subprocess.Popen(
            [require_program(name), *options, "-c", SCRIPT],
            env=variables | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def keys(self, **keys: str) -> None:
        self.credentials.mkdir()
        for name, value in keys.items():
            (self.credentials / name).write_text(value)
