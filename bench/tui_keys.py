"""Measure key to frame in a real terminal: SparkTest's list of runs and Textual's DataTable.

    python bench/tui_keys.py [--rows 10000] [--repeat 30]

Both show the same rows, each in a separate process on a pseudo terminal of 120 by 40 cells. For
each key, prints medians: the time to the last byte of its frame (wall), the CPU time and the bytes
written. Exits with 1 when a cursor key takes more than 50 ms.
"""

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import termios
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import msgspec
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable

from sparktest.domain import K8sRef, Origin, Run, RunPage, Status
from sparktest.run_poller import PageRequest
from sparktest.tui.app import SparkTestApp
from sparktest.tui.columns import cells, fit_columns
from sparktest.tui.messages import Fetched
from sparktest.tui.widgets.run_list import columns_width

WIDTH, HEIGHT = 120, 40
GOAL_MS = 50.0
# A frame is complete after this time without output; no pause inside a frame is as long.
QUIET_SECONDS = 0.12
DEADLINE_SECONDS = 60.0
REFRESH = "f2"
KEYS = {
    "down": b"\x1b[B",
    "up": b"\x1b[A",
    "pagedown": b"\x1b[6~",
    "home": b"\x1b[H",
    REFRESH: b"\x1bOQ",
}
FINAL = (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.CANCELLED)


class Cost(NamedTuple):
    """The cost of one key: wall and CPU time in milliseconds, bytes written to the terminal."""

    wall: float
    cpu: float
    written: int


# --- the programs under test -----------------------------------------------------------------


def make_runs(count: int) -> list[Run]:
    """Return `count` finished runs, days old, so that no age on the screen changes."""
    now = datetime.now(UTC) - timedelta(days=2)
    return [
        Run(
            id=f"{number:08x}-0000-4000-8000-000000000000",
            name=f"nightly-check-{number}",
            status=FINAL[number % 4],
            origin=(Origin.API, Origin.CRD)[number % 2],
            k8s_ref=K8sRef(namespace="team-web", name=f"t-{number}") if number % 2 else None,
            definition_name=f"definition-{number % 50}",
            namespace="team-web",
            created_at=now - timedelta(seconds=number),
            duration=12.0 + number % 300,
        )
        for number in range(count)
    ]


def changed(runs: list[Run], turn: int) -> list[Run]:
    """Change the status of one run in a hundred, visible ones among them, and return those."""
    for at in range(turn % 10, len(runs), 100):
        run = runs[at]
        status = FINAL[(FINAL.index(run.status) + 1) % 4]
        runs[at] = msgspec.structs.replace(run, status=status, version=run.version + 1)
    return runs[turn % 10 :: 100]


class StaticApi:
    """An API whose runs never change."""

    def __init__(self, runs: list[Run]) -> None:
        self.runs = tuple(runs)

    def list_runs(
        self, *, updated_since: datetime | None, cursor: str | None, limit: int
    ) -> RunPage:
        """Return a page of all runs; nothing when asked for changes."""
        if updated_since is not None:
            return RunPage(runs=())
        start = int(cursor or 0)
        more = start + limit < len(self.runs)
        return RunPage(
            runs=self.runs[start : start + limit], next=str(start + limit) if more else None
        )


class ListApp(SparkTestApp):
    """SparkTest's app, with a key that simulates the answer to a poll."""

    BINDINGS: ClassVar = [Binding(REFRESH, "refresh_rows", show=False)]

    def __init__(self, runs: list[Run]) -> None:
        super().__init__(StaticApi(runs))  # type: ignore[arg-type]
        self.runs = runs
        self.turn = 0

    def action_refresh_rows(self) -> None:
        """Apply a poll in which one run in a hundred changed."""
        self.turn += 1
        page = RunPage(runs=tuple(changed(self.runs, self.turn)))
        self.post_message(Fetched(PageRequest(False, None, None, len(page.runs)), page))


class TableApp(App[None]):
    """A DataTable with the same cells."""

    BINDINGS: ClassVar = [Binding(REFRESH, "refresh_rows", show=False)]

    def __init__(self, runs: list[Run]) -> None:
        super().__init__()
        self.runs = runs
        self.turn = 0

    def compose(self) -> ComposeResult:
        """Create the table."""
        yield DataTable(cursor_type="row", zebra_stripes=False)

    def on_mount(self) -> None:
        """Fill the table."""
        table, now = self.query_one(DataTable), datetime.now(UTC)
        self.shown = fit_columns(columns_width(WIDTH))
        for column in self.shown:
            table.add_column(column.title, width=column.width, key=column.field)
        for run in self.runs:
            table.add_row(*cells(run, self.shown, now), key=run.id)

    def action_refresh_rows(self) -> None:
        """Apply a poll in which one run in a hundred changed."""
        self.turn += 1
        table, now = self.query_one(DataTable), datetime.now(UTC)
        for run in changed(self.runs, self.turn):
            table.update_cell(run.id, "status", cells(run, self.shown, now)[0])


# --- the terminal ----------------------------------------------------------------------------


class Terminal:
    """A program on its own pseudo terminal."""

    def __init__(self, name: str, rows: int) -> None:
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(
                sys.executable, [sys.executable, __file__, "--child", name, "--rows", str(rows)]
            )
        size = struct.pack("HHHH", HEIGHT, WIDTH, 0, 0)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, size)

    def wait_until_loaded(self) -> None:
        """Wait until the program has painted something, then nothing for two seconds."""
        if not self._read(DEADLINE_SECONDS, 2.0)[1]:
            raise SystemExit("the program painted nothing")

    def press(self, key: str) -> Cost:
        """Press a key and return its cost."""
        before, started = self._cpu(), time.perf_counter()
        os.write(self._file, KEYS[key])
        last, written = self._read(2.0, QUIET_SECONDS)
        return Cost((last - started) * 1000, (self._cpu() - before) / 1e6, written)

    def memory(self) -> float:
        """Return the resident memory in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def close(self) -> None:
        """Kill the program."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._file)

    def _read(self, first: float, quiet: float) -> tuple[float, int]:
        """Read a frame within `first` seconds; return the time of its last byte, and its size."""
        last, written, wait = time.perf_counter(), 0, first
        while select.select([self._file], [], [], wait)[0]:
            written += len(os.read(self._file, 65536))
            last, wait = time.perf_counter(), quiet
        return last, written

    def _cpu(self) -> int:
        """Return the CPU time of all threads in nanoseconds."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks)


def measure(name: str, rows: int, repeat: int) -> tuple[dict[str, Cost], float]:
    """Return the median cost of each kind of key press, and the memory in MB."""
    terminal = Terminal(name, rows)
    try:
        terminal.wait_until_loaded()
        costs = {
            "cursor move": [terminal.press(("down", "up")[n % 2]) for n in range(repeat)],
            "refresh of 1 %": [terminal.press(REFRESH) for _ in range(repeat)],
            "page down": [terminal.press("pagedown") for _ in range(repeat)],
            "scroll a line": _scrolled(terminal, repeat),
        }
        return {kind: _median(each) for kind, each in costs.items()}, terminal.memory()
    finally:
        terminal.close()


def _scrolled(terminal: Terminal, repeat: int) -> list[Cost]:
    terminal.press("home")
    for _ in range(HEIGHT):
        terminal.press("down")
    return [terminal.press("down") for _ in range(repeat)]


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))


def report(rows: int, repeat: int) -> int:
    """Print the costs and return the exit code: 1 when a cursor key misses the goal."""
    ours, our_memory = measure("ours", rows, repeat)
    table, table_memory = measure("table", rows, repeat)
    print(f"{rows:,} rows, {WIDTH}x{HEIGHT}, medians of {repeat}")
    print(f"{'':16}{'SparkTest list':>28}{'DataTable':>28}{'ratio':>18}")
    print(f"{'':16}" + f"{'wall ms':>10}{'CPU ms':>9}{'bytes':>9}" * 2 + f"{'wall':>9}{'CPU':>9}")
    for kind, cost in ours.items():
        other = table[kind]
        both = "".join(f"{c.wall:10.1f}{c.cpu:9.1f}{c.written:9,.0f}" for c in (cost, other))
        print(f"{kind:16}{both}{other.wall / cost.wall:8.1f}x{other.cpu / cost.cpu:8.1f}x")
    print(f"memory: {our_memory:.0f} MB and {table_memory:.0f} MB")
    wall = ours["cursor move"].wall
    met = wall <= GOAL_MS
    print(f"cursor key: {wall:.1f} ms, goal {GOAL_MS:.0f} ms: {'met' if met else 'MISSED'}")
    return 0 if met else 1


def main() -> int:
    """Run the bench and return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--child", choices=["ours", "table"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child is None:
        return report(chosen.rows, chosen.repeat)
    runs = make_runs(chosen.rows)
    app: App[Any] = ListApp(runs) if chosen.child == "ours" else TableApp(runs)
    app.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
