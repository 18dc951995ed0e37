"""kubectl commands as text for people to paste; pure except for `known_clusters`.

A run's object is its TestRun, or its Job for an API run. Names are quoted for the shell: no name
can add a command or an option.
"""

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from sparktest.domain import K8sRef, Origin, Run
from sparktest.errors import InvalidError
from sparktest.settings import Settings
from sparktest.user_files import load_session

# The full name, as other products have a kind TestRun too.
TESTRUNS = "testruns.sparktest.dev"
# Added to the run's timeout, for the start of its pod and the end of its container.
WAIT_SECONDS = 60
# A Job has no condition that every end sets, but also none before it ends.
JOB_ENDED = "{.status.conditions[0].type}"


class Target(NamedTuple):
    """The cluster that a command names; without values, kubectl's current context."""

    kubeconfig: str | None = None
    context: str | None = None

    @property
    def options(self) -> list[str]:
        """The options with which kubectl selects it."""
        given = {"--kubeconfig": self.kubeconfig, "--context": self.context}
        return [word for option, value in given.items() if value for word in (option, value)]

    def command(self, *words: str) -> str:
        """Return a kubectl command for this cluster, quoted for a shell."""
        return shlex.join(["kubectl", *self.options, *words])

    @property
    def description(self) -> str:
        """The target as part of a sentence."""
        context = f"context {self.context}" if self.context else "the current context"
        return f"{context} of {self.kubeconfig or 'kubectl'}"


CURRENT = Target()


class Clusters(NamedTuple):
    """The targets of the clusters known here, by uid, and the target for all other runs."""

    targets: Mapping[str, Target] = {}
    default: Target = CURRENT

    def target(self, run: Run) -> Target:
        """Return the target of the run's cluster, or the default when it is not known."""
        return self.targets.get(run.cluster or "", self.default)

    def warning(self, run: Run) -> str:
        """Return a warning when commands for the run may reach another cluster, else "".

        A run that no controller has claimed has no object in any cluster, so there is none.
        """
        if run.cluster in self.targets or not (run.cluster or run.k8s_ref or run.job_created):
            return ""
        cluster = f"cluster {run.cluster} is" if run.cluster else "the cluster of this run is"
        return f"{cluster} not known here; these commands act on {self.default.description}"


NO_CLUSTERS = Clusters()


def known_clusters(settings: Settings, environ: Mapping[str, str] | None = None) -> Clusters:
    """Return the cluster of a running `sparktest up`, and the target that the settings name.

    It reads the session file and sends no requests, so it knows the uid of no other cluster.
    """
    named = Target(settings.kubeconfig, settings.context)
    try:
        session = load_session(environ)
    except InvalidError:
        session = None
    if session is None:
        return Clusters(default=named)
    target = Target(session.kubeconfig, session.context)
    same_api = session.backend_url == settings.backend_url
    return Clusters(
        {session.cluster: target} if session.cluster else {},
        target if same_api and named == CURRENT else named,
    )


def get(run: Run, *, target: Target = CURRENT) -> str:
    """Return `kubectl get` of the run's object."""
    return _command(run, target, "get", *_object(run))


def describe(run: Run, *, target: Target = CURRENT) -> str:
    """Return `kubectl describe` of the run's object: its conditions and Events."""
    return _command(run, target, "describe", *_object(run))


def logs(run: Run, *, target: Target = CURRENT) -> str:
    """Return `kubectl logs` of the run's Job, with --follow until the run is final.

    Where the test never started, it is the log of the init container that failed.
    """
    options = [] if run.status.final else ["--follow"]
    if run.failed_init_container:
        options = ["-c", run.failed_init_container]
    return _command(run, target, "logs", f"job/{run.job_name}", *options)


def wait(run: Run, *, target: Target = CURRENT) -> str:
    """Return `kubectl wait` until the run has ended, whether it passed or not."""
    ref = _ref(run)
    ended = "condition=Finished" if ref else f"jsonpath={JOB_ENDED}"
    name = f"{TESTRUNS}/{ref.name}" if ref else f"job/{run.job_name}"
    timeout = f"--timeout={run.timeout_seconds + WAIT_SECONDS}s"
    return _command(run, target, "wait", f"--for={ended}", name, timeout)


def delete(run: Run, *, target: Target = CURRENT) -> str:
    """Return `kubectl delete` of the run's object; the run stays in SparkTest."""
    return _command(run, target, "delete", *_object(run))


def recreate(run: Run, *, target: Target = CURRENT) -> str:
    """Return a pipe that creates another TestRun like that of the run, under a new name."""
    read = _command(run, target, "get", *_object(run), "-o", "yaml")
    return f"{read} | {shlex.join(['kubectl', 'sparktest', 'run', '-f', '-', *target.options])}"


def commands(run: Run, *, target: Target = CURRENT) -> list[tuple[str, str]]:
    """Return label and command of each, in the order in which people need them."""
    makers = (get, describe, logs, wait, delete)
    return [(maker.__name__, maker(run, target=target)) for maker in makers]


def apply(producer: str, *, target: Target = CURRENT) -> str:
    """Return a pipe that applies the manifests printed by the command `producer`."""
    return f"{producer} | {target.command('apply', '-f', '-')}"


def _ref(run: Run) -> K8sRef | None:
    return run.k8s_ref if run.origin is Origin.CRD else None


def _object(run: Run) -> tuple[str, ...]:
    ref = _ref(run)
    kind, name = (TESTRUNS, ref.name) if ref else ("job", run.job_name)
    # Kubernetes allows no name that begins with -, but the API accepts one.
    return (f"{kind}/{name}",) if name.startswith("-") else (kind, name)


def _command(run: Run, target: Target, verb: str, *args: str) -> str:
    ref = _ref(run)
    namespace = ref.namespace if ref else run.namespace
    return shlex.join(["kubectl", verb, *args, "-n", namespace, *target.options])
