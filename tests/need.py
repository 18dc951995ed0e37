"""What a test needs of the machine: skipped with the reason where it lacks, or failed on demand."""

import os
import shutil
import subprocess

import pytest

REQUIRE = "SPARKTEST_E2E_REQUIRE"


def need(there: bool, what: str) -> None:
    """Skip the test unless `there`; with SPARKTEST_E2E_REQUIRE=1 fail it instead.

    Args:
        there: whether the machine has what the test needs.
        what: what is missing and how to give it, as a reader of the report wants to hear it.
    """
    if there:
        return
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{REQUIRE}=1, and {what}")
    pytest.skip(what)


def need_program(name: str) -> str:
    """The path of a program on PATH; skips or fails where there is none."""
    path = shutil.which(name)
    need(path is not None, f"{name} is not installed")
    return path or ""


def need_cluster() -> str:
    """The path of the kubeconfig of a Kubernetes API that answers."""
    kubeconfig = os.environ.get("KUBECONFIG", "")
    need(bool(kubeconfig), "KUBECONFIG is not set: no cluster to test on")
    probe = [need_program("kubectl"), "get", "--raw", "/readyz", "--request-timeout=5s"]
    answer = subprocess.run(probe, capture_output=True, text=True, check=False)
    need(answer.returncode == 0, f"the cluster of KUBECONFIG does not answer: {answer.stderr}")
    return kubeconfig


def need_postgres() -> str:
    """The URL of a PostgreSQL database that tests may fill and empty."""
    url = os.environ.get("SPARKTEST_TEST_POSTGRES_URL", "")
    need(bool(url), "SPARKTEST_TEST_POSTGRES_URL is not set: no PostgreSQL to test on")
    return url
