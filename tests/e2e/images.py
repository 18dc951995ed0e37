"""Images that tests make in the cluster of KUBECONFIG, which pulls none."""

import re
import subprocess

from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import Resource
from tests.requirements import require_cluster_script, require_program

NODES = Resource("", "v1", "nodes", "Node")
GIT_IMAGE = "localhost/sparktest-e2e/git:1"
# The dynamic loader and the libraries, as `ldd` prints them.
LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def require_git_image(cluster: Cluster) -> None:
    """Make the image GIT_IMAGE from the git of this machine, unless the cluster has it."""
    (node,) = cluster.list(NODES).items
    if GIT_IMAGE in str(node["status"].get("images")):
        return
    script = require_cluster_script()
    _run(script, "image", GIT_IMAGE, *(f"{path}={path}" for path in _git_files()))


def _git_files() -> list[str]:
    git = require_program("git")
    core = _run(git, "--exec-path").strip()
    programs = [git, f"{core}/git-remote-http"]
    libraries = {found for each in programs for found in LIBRARY.findall(_run("ldd", each))}
    return [*programs, *sorted(libraries)]


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
