"""The command logs: the log of a TestRun's pod, while there is one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.logs import follow_log, write_log
from sparktest.cli.plugin.context import KubeContext
from sparktest.cli.plugin.options import TESTRUN, uses_cluster
from sparktest.cli.plugin.testrun import TestRun, plain_name
from sparktest.cli.plugin.waiting import wait_for_testrun
from sparktest.errors import MalformedError, NotFoundError
from sparktest.kube.jobs import CONTAINER, RUN_ID
from sparktest.kube.resources import PODS

if TYPE_CHECKING:
    from sparktest.kube.streams import ByteStream


@click.command("logs")
@click.argument("name", metavar="NAME", shell_complete=TESTRUN)
@click.option("-f", "--follow", is_flag=True, help="Until the test has ended.")
@click.option("--tail", type=click.IntRange(0), metavar="LINES", help="The last lines only.")
@click.option("-c", "--container", metavar="NAME", help="Which container; the test's by default.")
@uses_cluster
def logs(
    kube: KubeContext, name: str, follow: bool, tail: int | None, container: str | None
) -> None:
    """Print the log of a TestRun's pod.

    When the pod is gone, it says where the stored log is.
    """
    if follow and tail is not None:
        raise click.UsageError("Give --follow or --tail, not both.")
    testrun = kube.testrun(plain_name(name))
    if follow and not testrun.ended:
        follow_testrun(kube, testrun, container)
        return
    if not testrun.job_name:
        raise _not_yet(testrun)
    log = PodLog(kube, testrun, container)
    try:
        with log.open(tail=tail) as stream:
            write_log(stream)
    except (MalformedError, NotFoundError) as error:
        raise log.not_found() if testrun.ended or container else _not_yet(testrun) from error


def follow_testrun(kube: KubeContext, testrun: TestRun, container: str | None = None) -> TestRun:
    """Write the log to stdout until its end; return the TestRun as it was when the log began."""
    testrun = wait_for_testrun(kube, testrun, lambda each: each.ended or each.phase == "Running")
    log = PodLog(kube, testrun, container)
    try:
        write_log(follow_log(log.follow))
    except (MalformedError, NotFoundError) as error:
        if not testrun.ended:
            raise log.not_found() from error
        # It never started: its outcome says why.
        warn(f"{testrun.name} has no log in the cluster{log.stored_log_hint()}")
    except KeyboardInterrupt:
        command = f"kubectl sparktest logs -f {kube.arguments(testrun)}"
        warn(f"{testrun.name} continues; see: {command}")
        raise
    return testrun


def _not_yet(testrun: TestRun) -> ExitError:
    return ExitError(f"no log yet: {testrun.summary()}; --follow waits for it", Exit.INFRA)


class PodLog:
    """The log of a TestRun's pod; a follower that lost its connection can resume."""

    def __init__(self, kube: KubeContext, testrun: TestRun, container: str | None) -> None:
        self._kube = kube
        self._testrun = testrun
        self._container = container or CONTAINER

    def follow(self, offset: int) -> Iterator[bytes]:
        """Yield the log from a byte offset, in chunks as they come."""
        with self.open(follow=True) as stream:
            for chunk in stream:
                # The kubelet always starts at the first byte.
                skipped = min(offset, len(chunk))
                offset -= skipped
                if chunk[skipped:]:
                    yield chunk[skipped:]

    def open(self, *, follow: bool = False, tail: int | None = None) -> "ByteStream":
        """Open the log of the newest pod; the caller closes it.

        Raises:
            NotFoundError: the pod is gone.
            MalformedError: its container has not started, or there is no such container.
        """
        namespace = self._testrun.namespace
        selector = f"{RUN_ID}={self._testrun.run_id}"
        pods = self._kube.cluster.list(PODS, namespace, label_selector=selector).items
        if not pods:
            raise NotFoundError(f"{self._testrun.name} has no pod")
        metadata = max(
            (pod["metadata"] for pod in pods), key=lambda each: str(each["creationTimestamp"])
        )
        return self._kube.cluster.pod_log(
            namespace, metadata["name"], self._container, follow=follow, tail_lines=tail
        )

    def not_found(self) -> ExitError:
        """Return the error of a command that found no log; it says where one may be."""
        return ExitError(
            f"no pod of {self._testrun.name} has a log of container {self._container}"
            f"{self.stored_log_hint()}",
            Exit.INFRA,
        )

    def stored_log_hint(self) -> str:
        """Return where the log is when the pod is gone, as the end of a sentence."""
        run_id = self._testrun.run_id
        return f"; the stored one: sparktest logs {run_id}" if run_id else ""
