"""Follow the logs of many running pods: `python -m bench.log_followers [PODS] [LINES]`.

Each of PODS (100) containers writes LINES (10) lines a second for 20 seconds; cluster and API are
stand-ins in another process, over HTTP. Prints the CPU time of the controller's log collector a
second, its threads, and the requests to the API; exits 1 if a log is not whole.
"""

import asyncio
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta

from kubernetes.client import Configuration

from sparktest.client import ApiClient
from sparktest.controller.logs.collector import LogCollector
from sparktest.controller.testruns import Key
from sparktest.domain import LogState, Origin, Run, Status
from sparktest.kube.cluster import Cluster
from sparktest.kube.pod_view import LogSource, PodState, parse_pod
from sparktest.kube.transport import Timeouts, Transport

SECONDS = 20
PODS, LINES = 100, 10
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
TEXT = "a line of a test that says what it does now {:06d}"


def main(pods: int, lines: int) -> int:
    """Print the figures and return the exit code."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.log_followers", str(pods), str(lines), "serve"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        return measure(f"http://127.0.0.1:{int(server.stdout.readline())}", pods, lines)
    finally:
        server.kill()
        server.wait()


def measure(url: str, pods: int, lines: int) -> int:
    """Collect all logs; print what it costs and return the exit code."""

    def configuration() -> Configuration:
        return Configuration(host=url)

    cluster = Cluster(Transport(configuration, pool_size=2 * pods, timeouts=Timeouts()), uid="here")
    done: set[Key] = set()
    with ApiClient(f"{url}/api", "token", cluster="here") as client:
        collector = LogCollector(
            cluster, client, source=lambda *_: LogSource(PodState.ENDED), on_key=done.add
        )
        idle = threading.active_count()
        began, cpu = time.monotonic(), time.process_time()
        for number in range(pods):
            collect(collector, f"pod-{number}")
        time.sleep(SECONDS / 2)
        threads = threading.active_count() - idle
        while len(done) < pods and time.monotonic() < began + 3 * SECONDS:
            time.sleep(0.1)
        took, cpu = time.monotonic() - began, time.process_time() - cpu
        logs = [collector.logs(("tests", f"pod-{number}"))["test"].log for number in range(pods)]
        with urllib.request.urlopen(f"{url}/count") as response:
            requests = int(response.read())
        collector.stop()
    whole = SECONDS * lines * (len(TEXT.format(0)) + 1)
    lost = sum(log.bytes != whole or log.state is not LogState.COMPLETE for log in logs)
    print(
        f"{pods} pods, {lines} lines/s each: {cpu / took * 1000:.0f} ms CPU/s, "
        f"{cpu * 1000 / pods:.1f} ms a log, {threads} threads, "
        f"{requests / pods:.1f} API requests a log, {lost} logs not whole"
    )
    return 1 if lost else 0


def collect(collector: LogCollector, name: str) -> None:
    """Have the log of a running container collected."""
    status = {"containerStatuses": [{"name": "test", "state": {"running": {}}}]}
    run = Run(
        id=name,
        name=name,
        status=Status.RUNNING,
        origin=Origin.API,
        created_at=datetime.now(UTC),
        containers=("test",),
    )
    pod = parse_pod({"metadata": {"name": name, "namespace": "tests"}, "status": status})
    assert collector.collect(("tests", name), run, pod, "test")


async def serve(lines: int) -> None:
    """Serve the logs and store them; print the port."""
    counts: Counter[str] = Counter()
    # When each log began, by its path.
    began: dict[str, datetime] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                if "/log?" in head:
                    path = head.split("?")[0]
                    await send_log(writer, lines, began.setdefault(path, datetime.now(UTC)))
                elif head.startswith("PUT"):
                    counts["requests"] += 1
                    length = int(re.findall(r"(?i)content-length: (\d+)", head)[0])
                    await reader.readexactly(length)
                    offset = int(re.findall(r"offset=(\d+)", head)[0])
                    send_json(writer, f'{{"bytes": {offset + length}}}')
                else:
                    send_json(writer, str(counts["requests"]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def send_json(writer: asyncio.StreamWriter, text: str) -> None:
    """Send a JSON answer."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
    writer.write(f"{head}\r\n\r\n{text}".encode())


async def send_log(writer: asyncio.StreamWriter, lines: int, began: datetime) -> None:
    """Send a log as the kubelet does: each line as a chunk, when it is written."""
    writer.write(HEAD)
    for number in range(SECONDS * lines):
        at = began + timedelta(seconds=number / lines)
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds())
        line = f"{at.strftime('%Y-%m-%dT%H:%M:%S.%fZ')} {TEXT.format(number)}\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(line), line))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


if __name__ == "__main__":
    counts = [int(text) for text in sys.argv[1:3]]
    given = (counts[0] if counts else PODS, counts[1] if counts[1:] else LINES)
    if sys.argv[3:]:
        asyncio.run(serve(given[1]))
    else:
        sys.exit(main(*given))
