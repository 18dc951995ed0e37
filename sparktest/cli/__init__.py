"""The command line: `main` is the console script `sparktest`.

Every command imports the room that it needs when it is called, so `sparktest --help` loads none.
"""

import os
from collections.abc import Sequence

import click

from sparktest import __version__
from sparktest.cli import (
    completion,
    config,
    crd,
    definitions,
    demo,
    details,
    devcluster,
    doctor,
    front,
    logs,
    runs,
    services,
    start,
    up,
    waiting,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """Run tests on Kubernetes and never lose one."""


COMMANDS = (
    up.up,
    demo.demo,
    services.api,
    services.controller,
    services.tui,
    services.db,
    devcluster.devcluster,
    crd.crd,
    config.config,
    start.run,
    start.rerun,
    waiting.wait,
    logs.logs,
    runs.runs,
    details.show_run,
    runs.cancel,
    runs.delete,
    definitions.definitions,
    completion.completion,
    doctor.doctor,
)
for command in COMMANDS:
    program.add_command(command)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the command that the arguments name; sys.argv where there are none given."""
    asked = completion.asked(os.environ) if argv is None else None
    if asked:
        return completion.answer(program, asked)
    return front.called(program, "sparktest", argv)
