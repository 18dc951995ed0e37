"""The command logs: the log of a TestRun's pod, until the pod is deleted."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sparktest.cli import options
from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.logs import follow_log, stored_log_command, write_log
from sparktest.cli.plugin.context import KubeContext
from sparktest.cli.plugin.options import CONTAINER, TESTRUN, uses_cluster
from sparktest.cli.plugin.testrun import TestRun
from sparktest.cli.plugin.waiting import wait_for_testrun
from sparktest.cli.waiting import progress_text
from sparktest.domain import Status
from sparktest.errors import MalformedError, NotFoundError
from sparktest.kube.fields import Object
from sparktest.kube.pod_template import container_names
from sparktest.kube.pod_view import parse_pod

if TYPE_CHECKING:
    from sparktest.kube.streams import ByteStream


@click.command("logs")
@click.argument("name", metavar="NAME", shell_complete=TESTRUN)
@click.option("-f", "--follow", is_flag=True, help="Print new lines until the test has ended.")
@options.tail_option
@options.container_option(CONTAINER)
@uses_cluster
def logs(
    kube: KubeContext, name: str, follow: bool, tail: int | None, container: str | None
) -> None:
    """Print the log of a TestRun's pod.

    When the pod is gone, the error names the command that prints the stored log.
    """
    if follow and tail is not None:
        raise click.UsageError("Give --follow or --tail, not both.")
    testrun = kube.testrun(name)
    if follow and not testrun.status.final:
        follow_testrun(kube, testrun, container)
        return
    log = PodLog(kube, testrun, container)
    try:
        with log.open(tail=tail) as stream:
            write_log(stream)
    except (MalformedError, NotFoundError) as error:
        if testrun.status.final or container:
            raise log.not_found() from error
        text = f"no log yet: {progress_text(testrun)}; --follow waits for it"
        raise ExitError(text, Exit.INFRA) from error


def follow_testrun(kube: KubeContext, testrun: TestRun, container: str | None = None) -> TestRun:
    """Write the log to stdout until its end; return the TestRun as it was when the log began."""
    # An init container starts while the TestRun is pending.
    testrun = wait_for_testrun(
        kube,
        testrun,
        lambda each: each.status is not Status.PENDING or PodLog(kube, each, container).has_begun(),
    )
    log = PodLog(kube, testrun, container)
    try:
        write_log(follow_log(log.follow))
    except (MalformedError, NotFoundError) as error:
        if not testrun.status.final:
            raise log.not_found() from error
        # It may never have started; its outcome says why.
        warn(f"{testrun.name} has no log in the cluster{log.stored_log_hint()}")
    except KeyboardInterrupt:
        command = f"kubectl sparktest logs -f {kube.arguments(testrun)}"
        warn(f"{testrun.name} continues; see: {command}")
        raise
    return testrun


class PodLog:
    """The log of a container of a TestRun's pod; `container` None: the one that runs the test."""

    def __init__(self, kube: KubeContext, testrun: TestRun, container: str | None) -> None:
        self._kube = kube
        self._testrun = testrun
        self._container = container

    def has_begun(self) -> bool:
        """Return True if a container was chosen and it has started."""
        if not (self._container and (pod := self._kube.pod(self._testrun))):
            return False
        found = parse_pod(pod).containers.get(self._choose(pod))
        return found is not None and found.has_log

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
        """Open the log; the caller closes it.

        Raises:
            NotFoundError: the pod is gone.
            MalformedError: the container has not started.
            ExitError: the pod has no such container.
        """
        pod = self._kube.pod(self._testrun)
        if pod is None:
            raise NotFoundError(f"{self._testrun.name} has no pod")
        return self._kube.cluster.pod_log(
            self._testrun.namespace,
            pod["metadata"]["name"],
            self._choose(pod),
            follow=follow,
            tail_lines=tail,
        )

    def _choose(self, pod: Object) -> str:
        names = container_names(pod)
        if self._container and self._container not in names:
            raise ExitError(
                f"{self._testrun.name} has no container {self._container!r}; its containers are: "
                f"{', '.join(names)}",
                Exit.USAGE,
            )
        return self._container or names[0]

    def not_found(self) -> ExitError:
        """Return the error of a command that found no log, with a hint where one may be."""
        return ExitError(
            f"no pod of {self._testrun.name} has a log of "
            f"{f'container {self._container}' if self._container else 'the test'}"
            f"{self.stored_log_hint()}",
            Exit.INFRA,
        )

    def stored_log_hint(self) -> str:
        """Return the command that prints the stored log, as the end of a sentence.

        Where the test never started, it is the log of the init container that failed.
        """
        run_id, failed = self._testrun.id, self._testrun.failed_init_container
        if failed and not self._container:
            arguments = self._kube.arguments(self._testrun)
            options = shlex.join(["-c", failed])
            return f"; it never started; see: kubectl sparktest logs {options} {arguments}"
        stored = stored_log_command(run_id, self._container)
        return f"; the stored one: {stored}" if run_id else ""
