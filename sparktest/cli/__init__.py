"""The command line: `main` is the console script `sparktest`.

A command's module is imported when the command is used; `sparktest --help` imports none.
"""

from collections.abc import Sequence

import click

from sparktest import __version__
from sparktest.cli import entrypoint
from sparktest.cli.entrypoint import LazyCommand, LazyGroup

COMPLETE_VARIABLE = "_SPARKTEST_COMPLETE"
COMMANDS = {
    name: LazyCommand(f"sparktest.cli.{target}", short_help)
    for name, target, short_help in (
        ("api", "services:api", "Serve the REST API."),
        ("audit", "audit:audit", "List the writes of clients, newest first."),
        ("cancel", "runs:cancel", "Cancel runs; their logs are kept."),
        ("completion", "completion:completion", "Print the completion script of a shell."),
        ("config", "config:config", "Show the settings and where they come from."),
        ("controller", "services:controller", "Turn TestRuns and API runs into Jobs."),
        ("crd", "crd:crd", "Print manifests for kubectl apply -f -."),
        ("db", "database:db", "Migrate, back up and prune the database of the API."),
        ("definitions", "definitions:definitions", "Manage and run definitions."),
        ("delete", "runs:delete", "Delete runs that have ended, with their logs."),
        ("demo", "up.demo:demo", "Run example tests on a temporary dev cluster."),
        ("devcluster", "devcluster:devcluster", "Run a dev cluster until Ctrl-C."),
        ("doctor", "doctor.command:doctor", "Find what is wrong, and how to fix it."),
        ("executors", "executors:executors", "Manage executors, the kinds of test runners."),
        ("logs", "logs:logs", "Print the log of a run."),
        ("rerun", "start:rerun", "Repeat a run, and print the id of the new one."),
        ("run", "start:run", "Start a run and print its id."),
        ("runs", "runs:runs", "List runs, newest first, or show some."),
        ("schedules", "schedules:schedules", "Manage schedules of definitions and suites."),
        ("show", "runs:show_runs", "Show all fields of runs."),
        ("token", "tokens:token", "Manage the tokens of the API."),
        ("suites", "suites:suites", "Manage and run suites, which are sets of definitions."),
        ("tui", "services:tui", "Open the terminal UI."),
        ("up", "up.command:up", "Start API, controller and terminal UI together."),
        ("wait", "waiting:wait", "Wait until runs have ended."),
    )
}


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """Run tests on Kubernetes and never lose one."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name (default: sys.argv) and return its exit code."""
    if argv is None:
        code = entrypoint.complete(program, "sparktest", COMPLETE_VARIABLE)
        if code is not None:
            return code
    return entrypoint.run(program, "sparktest", argv)
