"""`sparktest up` with fake programs, and without a cluster.

`python -m tests.cli.up.driver '["--print", …]' '[…]' ['[…]']`: options for API, controller, TUI.
"""

import json
import os
import sys

import click

from sparktest import cli, settings
from sparktest.backoff import Backoff
from sparktest.cli.exits import Exit
from sparktest.cli.up import processes
from sparktest.cli.up.processes import StopSignals
from sparktest.cli.up.session import single_instance
from sparktest.cli.up.stack import Programs, Stack

FAKE_PROGRAM = [sys.executable, "-m", "tests.cli.up.fake_program"]


@click.command("up")
@click.argument("options", nargs=-1)
def up(options: tuple[str, ...]) -> int:
    api, controller, *tui = [[*FAKE_PROGRAM, *json.loads(found)] for found in options]
    programs = Programs(api, controller, tui[0] if tui else None)
    with (
        single_instance(os.environ),
        StopSignals() as signals,
        Stack(programs, settings.load(), os.environ, signals) as stack,
    ):
        if stack.start(lambda: "uid"):
            click.echo("ready")
            stack.watch()
    return Exit.PASSED


if __name__ == "__main__":
    processes.STOP_SECONDS = 1.0
    processes.RESTART_BACKOFF = Backoff(first=0.1, cap=0.2)
    cli.program.add_command(up)
    sys.exit(cli.main(["up", "--", *sys.argv[1:]]))
