"""The command logs of the plugin: the log of a TestRun's pod, while there is one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.logs import follow_log, write_log
from sparktest.cli.plugin.candidates import TESTRUN
from sparktest.cli.plugin.ending import until
from sparktest.cli.plugin.place import Object, Place, uses_cluster
from sparktest.cli.plugin.testrun import TestRun, plain_name, section
from sparktest.errors import MalformedError, NotFoundError

if TYPE_CHECKING:
    from sparktest.kube.streams import ByteStream


@click.command("logs")
@click.argument("name", metavar="NAME", shell_complete=TESTRUN)
@click.option("-f", "--follow", is_flag=True, help="Until the test has ended.")
@click.option("--tail", type=click.IntRange(0), metavar="LINES", help="The last lines only.")
@click.option("-c", "--container", metavar="NAME", help="Which container; the test's by default.")
@uses_cluster
def logs(place: Place, name: str, follow: bool, tail: int | None, container: str | None) -> None:
    """Print the log of a TestRun's pod.

    When the pod is gone, it says where the stored log is.
    """
    if follow and tail is not None:
        raise click.UsageError("--follow begins at the first line; --tail needs no --follow.")
    testrun = TestRun(place.testrun(plain_name(name)))
    if follow and not testrun.ended:
        follow_testrun(place, testrun, container)
        return
    if not testrun.job_name:
        raise _not_yet(testrun)
    log = PodLog(place, testrun, container)
    try:
        with log.opened(tail=tail) as stream:
            write_log(stream)
    except (MalformedError, NotFoundError) as error:
        raise log.nowhere() if testrun.ended or container else _not_yet(testrun) from error


def _not_yet(testrun: TestRun) -> ExitError:
    text = f"no log yet: {testrun.told()}; with --follow it comes when it is there"
    return ExitError(text, Exit.INFRA)


def follow_testrun(place: Place, testrun: TestRun, container: str | None = None) -> TestRun:
    """The TestRun as it was when its log began, which is on stdout now, to the end."""
    testrun = until(place, testrun, lambda each: each.ended or each.phase == "Running")
    log = PodLog(place, testrun, container)
    try:
        write_log(follow_log(log, testrun.run_id, container))
    except (MalformedError, NotFoundError) as error:
        if not testrun.ended:
            raise log.nowhere() from error
        # It never started: how it ended says why.
        warn(f"{testrun.name} has no log in the cluster{log.stored()}")
    except KeyboardInterrupt:
        warn(
            f"{testrun.name} goes on; see: kubectl sparktest logs -f {testrun.name} "
            f"-n {testrun.namespace}"
        )
        raise
    return testrun


class PodLog:
    """The log of the pod of a TestRun's Job, read again from where a follower was cut."""

    def __init__(self, place: Place, testrun: TestRun, container: str | None) -> None:
        from sparktest.kube.jobs import CONTAINER

        self._place = place
        self._testrun = testrun
        self._container = container or CONTAINER

    def follow_log(
        self, run_id: str, *, container: str | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        """The log from a byte on, as it comes; the names are those of the API's client."""
        with self.opened(follow=True) as stream:
            for chunk in stream:
                # The kubelet begins at the first byte, always.
                skipped = min(offset, len(chunk))
                offset -= skipped
                if chunk[skipped:]:
                    yield chunk[skipped:]

    def opened(self, *, follow: bool = False, tail: int | None = None) -> "ByteStream":
        """The stream of the newest pod's log; the caller closes it.

        Raises:
            NotFoundError: there is no pod any more.
            MalformedError: its container has not started, or there is no such container.
        """
        pod = section(self._pod(), "metadata")
        return self._place.cluster.pod_log(
            self._testrun.namespace,
            str(pod.get("name")),
            self._container,
            follow=follow,
            tail_lines=tail,
        )

    def nowhere(self) -> ExitError:
        """The end of a command that found no log, and where there may be one."""
        return ExitError(
            f"no pod of {self._testrun.name} has a log of container {self._container}"
            f"{self.stored()}",
            Exit.INFRA,
        )

    def stored(self) -> str:
        """Where the log is when the pod is gone, as the end of a sentence."""
        run_id = self._testrun.run_id
        return f"; the stored one: sparktest logs {run_id}" if run_id else ""

    def _pod(self) -> Object:
        from sparktest.kube.cluster import PODS
        from sparktest.kube.jobs import RUN_ID

        found = self._place.cluster.list(
            PODS, self._testrun.namespace, label_selector=f"{RUN_ID}={self._testrun.run_id}"
        ).items
        if not found:
            raise NotFoundError("its pod is gone")
        return max(found, key=lambda pod: str(section(pod, "metadata").get("creationTimestamp")))
