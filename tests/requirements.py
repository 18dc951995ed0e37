"""What tests require of the machine. A test without it is skipped, or fails on request."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# As in .ci/run.
CLUSTER_SCRIPT = Path(__file__).parents[2] / "shared" / "cluster" / "cluster"
FAIL_VARIABLE = "SPARKTEST_E2E_REQUIRE"


def require(available: bool, message: str) -> None:
    """Skip the test unless the requirement is met; with SPARKTEST_E2E_REQUIRE=1, fail it.

    Args:
        available: True if the requirement is met.
        message: what is missing.
    """
    if available:
        return
    if os.environ.get(FAIL_VARIABLE) == "1":
        pytest.fail(f"{FAIL_VARIABLE}=1, and {message}")
    pytest.skip(message)


def require_program(name: str) -> str:
    """Return the path of an installed program."""
    path = shutil.which(name)
    require(path is not None, f"{name} is not installed")
    return path or ""


def require_cluster() -> str:
    """Return the path in KUBECONFIG after checking that its cluster answers."""
    kubeconfig = os.environ.get("KUBECONFIG", "")
    require(bool(kubeconfig), "KUBECONFIG is not set: no cluster to test on")
    probe = [require_program("kubectl"), "get", "--raw", "/readyz", "--request-timeout=5s"]
    answer = subprocess.run(probe, capture_output=True, text=True, check=False)
    require(answer.returncode == 0, f"the cluster of KUBECONFIG does not answer: {answer.stderr}")
    return kubeconfig


def require_cluster_script() -> str:
    """Return the path of the script that makes images in the cluster of KUBECONFIG."""
    path = Path(os.environ.get("SPARKTEST_CLUSTER_SCRIPT", CLUSTER_SCRIPT))
    require(path.exists(), "there is no script that makes images (SPARKTEST_CLUSTER_SCRIPT)")
    return str(path)


def require_postgres() -> str:
    """Return the URL of a PostgreSQL server for tests."""
    url = os.environ.get("SPARKTEST_TEST_POSTGRES_URL", "")
    require(bool(url), "SPARKTEST_TEST_POSTGRES_URL is not set: no PostgreSQL to test on")
    return url
