"""The kubectl commands of a run, as text that a person can paste. Pure.

A run of a TestRun is asked for as its TestRun, an API run as its Job. Names are quoted for the
shell: whatever a name holds, the command stays one command with the same options.
"""

import shlex

from sparktest.domain import K8sRef, Origin, Run

# The whole name: other products have a kind TestRun too.
TESTRUNS = "testruns.sparktest.dev"
# What a run may take beside its own time: the start of its pod and the end of its container.
WAIT_SECONDS = 60
# A Job has no condition that comes true on every end; that it has any means that it ended.
JOB_ENDED = "{.status.conditions[0].type}"


def get(run: Run, *, context: str | None = None) -> str:
    """`kubectl get` of the run's object."""
    return _command(run, context, "get", *_object(run))


def describe(run: Run, *, context: str | None = None) -> str:
    """`kubectl describe` of the run's object: conditions and Events."""
    return _command(run, context, "describe", *_object(run))


def logs(run: Run, *, context: str | None = None) -> str:
    """`kubectl logs` of the run's Job, followed while the run is not final."""
    follow = () if run.status.final else ("--follow",)
    return _command(run, context, "logs", f"job/{run.job_name}", *follow)


def wait(run: Run, *, context: str | None = None) -> str:
    """`kubectl wait` until the run has ended, well or not."""
    ref = _ref(run)
    ended = "condition=Finished" if ref else f"jsonpath={JOB_ENDED}"
    name = f"{TESTRUNS}/{ref.name}" if ref else f"job/{run.job_name}"
    timeout = f"--timeout={run.timeout_seconds + WAIT_SECONDS}s"
    return _command(run, context, "wait", f"--for={ended}", name, timeout)


def delete(run: Run, *, context: str | None = None) -> str:
    """`kubectl delete` of the run's object; the run itself stays in SparkTest."""
    return _command(run, context, "delete", *_object(run))


def commands(run: Run, *, context: str | None = None) -> list[tuple[str, str]]:
    """Label and command of each, in the order in which people need them."""
    makers = (get, describe, logs, wait, delete)
    return [(maker.__name__, maker(run, context=context)) for maker in makers]


def _ref(run: Run) -> K8sRef | None:
    return run.k8s_ref if run.origin is Origin.CRD else None


def _object(run: Run) -> tuple[str, ...]:
    ref = _ref(run)
    kind, name = (TESTRUNS, ref.name) if ref else ("job", run.job_name)
    # Kubernetes allows no such name, but what a client told the API may not become an option.
    return (f"{kind}/{name}",) if name.startswith("-") else (kind, name)


def _command(run: Run, context: str | None, verb: str, *args: str) -> str:
    ref = _ref(run)
    namespace = ref.namespace if ref else run.namespace
    chosen = ("--context", context) if context else ()
    return shlex.join(["kubectl", verb, *args, "-n", namespace, *chosen])
