"""Measure the CPU time of help texts and completions: `python -m bench.help_time`.

Prints the median CPU time (user and system, of a whole process) of the help, of a completion
without an API, and of an empty Python program. Exits 1 when a list of commands takes more than
110 ms, or a completion more than four times an empty Python.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 15
MAX_MS = 110.0
MAX_RATIO = 4.0
EMPTY = "python -c pass"
COMMANDS = {
    EMPTY: ["-c", "pass"],
    "sparktest --help": ["-m", "sparktest", "--help"],
    "sparktest ru<Tab>": ["-m", "sparktest"],
    "kubectl sparktest --help": ["-c", "from sparktest.cli.plugin import main; main(['--help'])"],
}
TAB = {"_SPARKTEST_COMPLETE": "bash_complete", "COMP_WORDS": "sparktest ru", "COMP_CWORD": "1"}


def cpu_ms(arguments: list[str], environ: dict[str, str]) -> float:
    """Return the CPU time of a Python with these arguments, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], env=environ, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> int:
    """Measure and print; return 0 when all is within the limits."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as home:
        for _ in range(ROUNDS):
            for name, arguments in COMMANDS.items():
                more = TAB if name.endswith("<Tab>") else {}
                times[name].append(cpu_ms(arguments, {**os.environ, "HOME": home, **more}))
    median = {name: statistics.median(found) for name, found in times.items()}
    for name, found in median.items():
        print(f"{name:<26} {found:6.0f} ms  {found / median[EMPTY]:4.1f} times empty")
    slow = [name for name, found in median.items() if name.endswith("help") and found > MAX_MS]
    ratio = median["sparktest ru<Tab>"] / median[EMPTY]
    if slow or ratio > MAX_RATIO:
        print(f"too slow: {', '.join(slow) or 'completion'}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
