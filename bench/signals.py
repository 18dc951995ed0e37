"""SIGTERM at random moments: `python -m bench.signals [COUNT]`, 100 times unless given.

A controller works on 20 TestRuns a second beside stand-ins for Kubernetes and the API. At a random
moment, also while it starts, it gets one SIGTERM; then the next one starts. Prints how long they
took to end, and exits with 1 if one took more than 25 seconds.
"""

import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.controller_cost import answers, environment, request, running, wait_until
from bench.processes import free_port

COUNT = 100
PER_SECOND = 20.0
TEST_SECONDS = 0.5
MAX_SECONDS = 25.0
# From the start of the process; it takes about one second until it works.
MOMENTS = (0.0, 10.0)


def terminate(folder: Path, environ: dict[str, str], moment: float) -> tuple[float, int | None]:
    """Return the seconds from the signal to the end, and the exit code; None if there is no end."""
    with (folder / "controller.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sparktest", "controller"],
            env=os.environ | environ,
            stdout=log,
            stderr=log,
        )
    time.sleep(moment)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    try:
        code: int | None = process.wait(2 * MAX_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        code = None
    return time.monotonic() - began, code


def main(count: int) -> int:
    """Print the figures and return the exit code."""
    chance = random.Random(1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kubernetes, api = free_port(), free_port()
        stub = ["bench.stub_kubernetes", str(kubernetes), str(TEST_SECONDS)]
        stack.enter_context(running(stub, folder, {}))
        stack.enter_context(running(["bench.stub_api", str(api)], folder, {}))
        wait_until(lambda: answers(kubernetes) and answers(api))
        load = {"count": 10**6, "per_second": PER_SECOND, "prefix": "run"}
        request(kubernetes, "/bench/apply", load)
        environ = environment(folder, kubernetes, api)
        ended = [terminate(folder, environ, chance.uniform(*MOMENTS)) for _ in range(count)]
    seconds = sorted(each for each, _ in ended)
    # -15: before the program had a handler.
    codes = dict(collections.Counter(code for _, code in ended))
    print(f"{count} SIGTERMs: median {seconds[count // 2]:.2f} s, longest {seconds[-1]:.2f} s")
    print(f"exit codes: {codes}")
    return int(seconds[-1] > MAX_SECONDS or not codes.keys() <= {0, -signal.SIGTERM})


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else COUNT))
