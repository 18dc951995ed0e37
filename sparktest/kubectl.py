"""The kubectl commands of a run, as text that a person can paste. Pure.

A run of a TestRun is asked for as its TestRun, an API run as its Job. Names are quoted for the
shell: whatever a name holds, the command stays one command with the same options.
"""

import shlex
from typing import NamedTuple

from sparktest.domain import K8sRef, Origin, Run

# The whole name: other products have a kind TestRun too.
TESTRUNS = "testruns.sparktest.dev"
# What a run may take beside its own time: the start of its pod and the end of its container.
WAIT_SECONDS = 60
# A Job has no condition that comes true on every end; that it has any means that it ended.
JOB_ENDED = "{.status.conditions[0].type}"


class Target(NamedTuple):
    """Which cluster the commands name; where nothing is given, the one that kubectl is set to."""

    kubeconfig: str | None = None
    context: str | None = None

    @property
    def options(self) -> list[str]:
        """What kubectl needs to reach it."""
        given = {"--kubeconfig": self.kubeconfig, "--context": self.context}
        return [word for option, value in given.items() if value for word in (option, value)]


CURRENT = Target()


def get(run: Run, *, target: Target = CURRENT) -> str:
    """`kubectl get` of the run's object."""
    return _command(run, target, "get", *_object(run))


def describe(run: Run, *, target: Target = CURRENT) -> str:
    """`kubectl describe` of the run's object: conditions and Events."""
    return _command(run, target, "describe", *_object(run))


def logs(run: Run, *, target: Target = CURRENT) -> str:
    """`kubectl logs` of the run's Job, followed while the run is not final."""
    follow = () if run.status.final else ("--follow",)
    return _command(run, target, "logs", f"job/{run.job_name}", *follow)


def wait(run: Run, *, target: Target = CURRENT) -> str:
    """`kubectl wait` until the run has ended, well or not."""
    ref = _ref(run)
    ended = "condition=Finished" if ref else f"jsonpath={JOB_ENDED}"
    name = f"{TESTRUNS}/{ref.name}" if ref else f"job/{run.job_name}"
    timeout = f"--timeout={run.timeout_seconds + WAIT_SECONDS}s"
    return _command(run, target, "wait", f"--for={ended}", name, timeout)


def delete(run: Run, *, target: Target = CURRENT) -> str:
    """`kubectl delete` of the run's object; the run itself stays in SparkTest."""
    return _command(run, target, "delete", *_object(run))


def commands(run: Run, *, target: Target = CURRENT) -> list[tuple[str, str]]:
    """Label and command of each, in the order in which people need them."""
    makers = (get, describe, logs, wait, delete)
    return [(maker.__name__, maker(run, target=target)) for maker in makers]


def _ref(run: Run) -> K8sRef | None:
    return run.k8s_ref if run.origin is Origin.CRD else None


def _object(run: Run) -> tuple[str, ...]:
    ref = _ref(run)
    kind, name = (TESTRUNS, ref.name) if ref else ("job", run.job_name)
    # Kubernetes allows no such name, but what a client told the API may not become an option.
    return (f"{kind}/{name}",) if name.startswith("-") else (kind, name)


def _command(run: Run, target: Target, verb: str, *args: str) -> str:
    ref = _ref(run)
    namespace = ref.namespace if ref else run.namespace
    return shlex.join(["kubectl", verb, *args, "-n", namespace, *target.options])
