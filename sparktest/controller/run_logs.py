"""Which logs of a run to collect, and the state of all of them together. Pure."""

from sparktest.controller.observation import Observation
from sparktest.domain import Log, LogState, Run, RunReport
from sparktest.kube.pod_view import ContainerView, PodView


def to_collect(observed: Observation, run: Run) -> list[str]:
    """Return the containers whose logs can be read now, without those that are being collected.

    Only containers of the run's own spec, that of the test first; injected ones are not read.
    """
    pod = observed.pod
    if pod is None:
        return []
    known = observed.logs.keys() | observed.logs_in_progress
    found = (pod.containers.get(name) for name in run.containers if name not in known)
    return [each.name for each in found if each and _is_readable(pod, each)]


def _is_readable(pod: PodView, container: ContainerView) -> bool:
    if not container.has_log:
        return False
    # A sidecar that crashes has a log between its attempts, too, but not a whole one.
    # Also an init container: at its end, the kubelet serves no more than the last 10 MiB.
    return container.state.kind == "running" or pod.has_ended(container.name)


def log_state(observed: Observation, run: Run, report: RunReport) -> Log:
    """Return the state of the run's logs: that of the worst, and the sum of their bytes.

    A container that never started does not count. The reason names the container if it is not
    that of the test.
    """
    test = run.containers[0]
    logs = {name: found.log for name, found in observed.logs.items()}
    if not logs:
        return _missing_log(run, report)
    if test not in logs and report.started_at:
        logs[test] = Log(reason="PodDeleted")
    if observed.pod is None and report.started_at:
        # Which of the others had started is no longer known.
        logs = {name: logs.get(name, Log(reason="PodDeleted")) for name in run.containers}
    stored = sum(log.bytes for log in logs.values())
    # `min` keeps the order of the run's containers: that of the test comes first.
    worst = min(
        (name for name in run.containers if name in logs), key=lambda each: _rank(logs[each])
    )
    if logs[worst].state is LogState.COMPLETE:
        return Log(state=LogState.COMPLETE, bytes=stored)
    reason = logs[worst].reason
    return Log(
        state=LogState.PARTIAL if stored else LogState.NONE,
        reason=reason if worst == test else f"{worst}: {reason}",
        bytes=stored,
    )


def _rank(log: Log) -> int:
    return (LogState.NONE, LogState.PARTIAL, LogState.COMPLETE).index(log.state)


def _missing_log(run: Run, report: RunReport) -> Log:
    if run.log.bytes:
        reason = report.failure.reason if report.failure else "PodDeleted"
        return Log(state=LogState.PARTIAL, reason=reason, bytes=run.log.bytes)
    reason = "NotStarted" if report.started_at is None else "PodDeleted"
    return Log(state=LogState.NONE, reason=reason)
