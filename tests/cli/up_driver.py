"""`sparktest up` with stand-ins instead of the programs, and without a cluster.

`python -m tests.cli.up_driver '["--say", …]' '[…]' ['[…]']`: options for API, controller, TUI.
"""

import json
import os
import sys

import click

from sparktest import cli, settings
from sparktest.cli import processes
from sparktest.cli.processes import Signals
from sparktest.cli.session import only_one
from sparktest.cli.up import Programs, together

STANDIN = [sys.executable, "-m", "tests.cli.standin"]


@click.command("up")
@click.argument("options", nargs=-1)
def up(options: tuple[str, ...]) -> int:
    api, controller, *tui = [[*STANDIN, *json.loads(found)] for found in options]
    with only_one(os.environ), Signals() as signals:
        programs = Programs(api, controller, tui[0] if tui else None)
        return together(programs, settings.load(), os.environ, signals)


if __name__ == "__main__":
    processes.STOP_SECONDS = 1.0
    cli.program.add_command(up)
    sys.exit(cli.main(["up", "--", *sys.argv[1:]]))
