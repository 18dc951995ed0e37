"""`kubectl sparktest`: TestRuns of the current context and namespace, without the API.

`main` is the console script `kubectl-sparktest`, which kubectl finds on the PATH.
"""

from collections.abc import Sequence

import click

from sparktest import __version__
from sparktest.cli import entrypoint
from sparktest.cli.entrypoint import LazyCommand, LazyGroup

NAME = "kubectl sparktest"
COMMANDS = {
    name: LazyCommand(f"sparktest.cli.plugin.{target}", short_help)
    for name, target, short_help in (
        ("cancel", "waiting:cancel", "Cancel TestRuns; their logs are kept."),
        ("describe", "show:describe", "Show all fields of TestRuns, and their Events."),
        ("list", "show:list_", "List TestRuns, newest first, or only the named ones."),
        ("logs", "logs:logs", "Print the log of a TestRun's pod."),
        ("run", "start:run", "Create TestRuns and print their names."),
        ("wait", "waiting:wait", "Wait until TestRuns have ended."),
    )
}


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """Start, follow and stop TestRuns in the current context and namespace of kubectl.

    The commands talk to the cluster only. For stored logs and history see sparktest --help.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name (default: sys.argv) and return its exit code."""
    return entrypoint.run(program, NAME, argv)
