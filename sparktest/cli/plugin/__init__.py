"""`kubectl sparktest`: TestRuns of the current context and namespace, without the API.

`main` is the console script `kubectl-sparktest`, which kubectl finds on the PATH. Like every
command, these load Kubernetes when they are called, and not before.
"""

from collections.abc import Sequence

import click

from sparktest import __version__
from sparktest.cli import front
from sparktest.cli.plugin import ending, logs, reading, start

NAME = "kubectl sparktest"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """Start, follow and stop TestRuns in the current context and namespace of kubectl.

    It speaks to the cluster only. Stored logs and history are in SparkTest: see sparktest --help.
    """


for command in (
    start.run,
    reading.list_,
    reading.describe,
    logs.logs,
    ending.wait,
    ending.cancel,
):
    program.add_command(command)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the command that the arguments name; sys.argv where there are none given."""
    return front.called(program, NAME, argv)
