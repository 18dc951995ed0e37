"""Images that tests make in the cluster of KUBECONFIG, which pulls none."""

import re
import struct
import subprocess
from pathlib import Path

from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import Resource
from tests.requirements import require_cluster_script, require_program

NODES = Resource("", "v1", "nodes", "Node")
GIT_IMAGE = "localhost/sparktest-e2e/git:1"
PYTEST_IMAGE = "localhost/sparktest-e2e/pytest:1"
WRONG_ARCH_IMAGE = "localhost/sparktest-e2e/wrong-arch:1"
# The dynamic loader and the libraries, as `ldd` prints them.
LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def require_git_image(cluster: Cluster) -> None:
    """Make the image GIT_IMAGE from the git of this machine, unless the cluster has it."""
    if not _has(cluster, GIT_IMAGE):
        files = (f"{path}={path}" for path in _git_files())
        _run(require_cluster_script(), "image", GIT_IMAGE, *files)


def require_wrong_arch_image(cluster: Cluster, folder: Path) -> None:
    """Make the image WRONG_ARCH_IMAGE, unless the cluster has it; the folder is for its programs.

    `runner` is for a processor that no node has, `noshebang` is text without an interpreter.
    """
    if not _has(cluster, WRONG_ARCH_IMAGE):
        script = require_cluster_script()
        # A 64-bit ELF header with one loadable segment; 0xF7 is the machine BPF.
        header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
            "<HHIQQQIHHHHHH", 2, 0xF7, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0
        )
        segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 120, 120, 4096)
        programs = {"runner": header + segment, "noshebang": b"echo hello\n"}
        for name, content in programs.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o755)
        files = (f"bin/{name}={folder / name}" for name in programs)
        _run(script, "image", WRONG_ARCH_IMAGE, *files)


def require_pytest_image(cluster: Cluster, folder: Path) -> None:
    """Make the image PYTEST_IMAGE, unless the cluster has it; the folder is for its Dockerfile."""
    if not _has(cluster, PYTEST_IMAGE):
        script = require_cluster_script()
        (folder / "Dockerfile").write_text("FROM python:3.13-slim\nRUN pip install pytest\n")
        _run(script, "build", PYTEST_IMAGE, str(folder))


def _has(cluster: Cluster, image: str) -> bool:
    (node,) = cluster.list(NODES).items
    return image in str(node["status"].get("images"))


def _git_files() -> list[str]:
    git = require_program("git")
    core = _run(git, "--exec-path").strip()
    programs = [git, f"{core}/git-remote-http"]
    libraries = {found for each in programs for found in LIBRARY.findall(_run("ldd", each))}
    return [*programs, *sorted(libraries)]


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
