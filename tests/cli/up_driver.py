"""`sparktest up` with stand-ins instead of the programs, and without a cluster.

`python -m tests.cli.up_driver '["--say", …]' '[…]' ['[…]']`: options for API, controller, TUI.
"""

import json
import os
import sys

import click

from sparktest import cli, settings
from sparktest.cli import processes, restarts
from sparktest.cli.exits import Exit
from sparktest.cli.processes import Signals
from sparktest.cli.session import only_one
from sparktest.cli.together import Programs, Together

STANDIN = [sys.executable, "-m", "tests.cli.standin"]


@click.command("up")
@click.argument("options", nargs=-1)
def up(options: tuple[str, ...]) -> int:
    api, controller, *tui = [[*STANDIN, *json.loads(found)] for found in options]
    programs = Programs(api, controller, tui[0] if tui else None)
    with (
        only_one(os.environ),
        Signals() as signals,
        Together(programs, settings.load(), os.environ, signals) as together,
    ):
        if together.started(lambda: "uid"):
            click.echo("ready")
            together.watch()
    return Exit.PASSED


if __name__ == "__main__":
    processes.STOP_SECONDS = 1.0
    restarts.LONGEST_SECONDS = 0.25
    cli.program.add_command(up)
    sys.exit(cli.main(["up", "--", *sys.argv[1:]]))
