"""Failover of two controllers on a real cluster: `KUBECONFIG=… python -m bench.failover [ROUNDS]`.

TestRuns are applied all the time. Measured for each round:

- kill: from `kill -9` of the leader to the first write of the other controller.
- term: the same after SIGTERM.
- stop: the leader is stopped (SIGSTOP) for 30 s. When it goes on, it may write nothing, neither to
  Kubernetes nor to the API.

Both controllers reach Kubernetes and the API through a proxy that notes the time of each request.
Exits with 1 if a limit is exceeded, a run is lost or one has more than one Job.
"""

import itertools
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3
import yaml

from sparktest.kube import config
from sparktest.kube.resources import JOBS
from sparktest.settings import Settings
from tests.e2e.program import Program, until
from tests.e2e.stack import Stack
from tests.e2e.target import open_target

KILL_SECONDS, TERM_SECONDS, STOPPED_SECONDS = 17.0, 1.5, 30.0
EVERY_SECONDS = 0.1
NOT_FORWARDED = {"connection", "transfer-encoding", "content-length", "host", "keep-alive"}


class Proxy:
    """Forwards requests to one server.

    Attributes:
        writes: the requests that are no GET, each with the monotonic time at which it arrived.
    """

    def __init__(self, upstream: str, pool: urllib3.PoolManager) -> None:
        self.upstream, self.pool = upstream, pool
        self.writes: list[tuple[float, str]] = []
        handler = type("BoundHandler", (Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        # Clients that are killed break their connections.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the proxy."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """End the proxy."""
        self._server.shutdown()
        self._server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection of a controller."""

    proxy: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Write nothing."""

    def _forward(self) -> None:
        if self.command != "GET":
            self.proxy.writes.append((time.monotonic(), f"{self.command} {self.path}"))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in NOT_FORWARDED}
        response = self.proxy.pool.request(
            self.command,
            self.proxy.upstream + self.path,
            body=body or None,
            headers=headers,
            preload_content=False,
            retries=False,
            redirect=False,
        )
        self.send_response(response.status)
        for name, value in response.headers.items():
            if name.lower() not in NOT_FORWARDED:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while data := response.read1(65536, decode_content=False):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")
        finally:
            response.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815


class Replica:
    """A controller and its proxies."""

    def __init__(self, stack: Stack, name: str) -> None:
        loaded = config.load(Settings(kubeconfig=stack.target.kubeconfig))
        pool = urllib3.PoolManager(
            maxsize=150,
            ca_certs=loaded.ssl_ca_cert,
            cert_file=loaded.cert_file,
            key_file=loaded.key_file,
        )
        self.kubernetes = Proxy(loaded.host, pool)
        self.api = Proxy(f"http://127.0.0.1:{stack.port}", urllib3.PoolManager(maxsize=150))
        kubeconfig = stack.folder / f"{name}.kubeconfig"
        kubeconfig.write_text(_kubeconfig(self.kubernetes.url))
        environ = stack.environ | {
            "SPARKTEST_TOKEN": stack.controller_token,
            "SPARKTEST_BACKEND_URL": self.api.url,
            "KUBECONFIG": str(kubeconfig),
        }
        self.program = Program(["controller"], environ, stack.folder / f"{name}.log")

    def writes_after(self, moment: float) -> list[tuple[float, str]]:
        """Return the writes after a time, other than those of the Lease, in order."""
        writes = [*self.kubernetes.writes, *self.api.writes]
        return sorted(write for write in writes if write[0] > moment and "/leases" not in write[1])

    def wait_until_waiting(self) -> None:
        """Start the program and wait until it is a standby, or the leader."""
        self.program.log.unlink(missing_ok=True)
        self.program.start()
        lines = ("waiting for the leader", "elected as leader")
        until("it takes part", lambda: any(line in self.program.tail() for line in lines))

    def stop(self) -> None:
        """End the program and the proxies."""
        self.program.stop(kill=True)
        self.kubernetes.stop()
        self.api.stop()


def _kubeconfig(url: str) -> str:
    cluster = {"name": "c", "cluster": {"server": url}}
    context = {"name": "c", "context": {"cluster": "c", "user": "c"}}
    return yaml.safe_dump(
        {
            "current-context": "c",
            "clusters": [cluster],
            "contexts": [context],
            "users": [{"name": "c", "user": {}}],
        }
    )


class Load(threading.Thread):
    """Applies TestRuns until it is stopped."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.count = 0
        self.done = threading.Event()
        self._stack = stack

    def run(self) -> None:
        """Apply one after the other."""
        for number in itertools.count():
            if self.done.wait(EVERY_SECONDS):
                return
            self._stack.apply(f"run-{number}", commands=[f"echo {number}"])
            self.count += 1


def first_write(replica: Replica, moment: float, seconds: float) -> float:
    """Wait for the first write after a time; return the seconds between them."""
    writes = until("it writes", lambda: replica.writes_after(moment), seconds, every=0.02)
    return writes[0][0] - moment


def main(rounds: int) -> int:
    """Run the rounds; return the exit code."""
    faults: list[str] = []
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        target = opened.enter_context(open_target("cluster", folder))
        stack = Stack(target, folder, SPARKTEST_LEADER_ELECTION="on")
        opened.callback(stack.stop)
        stack.start()
        stack.controller.stop()
        leader, standby = Replica(stack, "a"), Replica(stack, "b")
        opened.callback(leader.stop)
        opened.callback(standby.stop)
        leader.wait_until_waiting()
        load = Load(stack)
        load.start()
        opened.callback(load.done.set)
        times: dict[str, list[float]] = {"kill": [], "term": []}
        late: list[str] = []
        for number in range(rounds):
            for name, limit in (("kill", KILL_SECONDS), ("term", TERM_SECONDS)):
                standby.wait_until_waiting()
                # At another phase of the renewals each time.
                time.sleep(1.0 + 0.37 * number)
                moment = time.monotonic()
                number_of = signal.SIGKILL if name == "kill" else signal.SIGTERM
                os.kill(leader.program.pid, number_of)
                seconds = first_write(standby, moment, 60.0)
                leader.program.stop(kill=name == "kill")
                times[name].append(seconds)
                print(f"{name}: {seconds:.2f} s", flush=True)
                if seconds > limit:
                    faults.append(f"{name}: {seconds:.2f} s, above {limit} s")
                leader, standby = standby, leader
            standby.wait_until_waiting()
            time.sleep(1.0 + 0.61 * number)
            late += stop_for_30_seconds(leader, standby)
            leader, standby = standby, leader
        load.done.set()
        load.join()
        faults += [f"written after the deadline: {write}" for write in late]
        faults += check_runs(stack, load.count)
        for name, found in times.items():
            print(f"{name}: {min(found):.2f} to {max(found):.2f} s in {rounds} rounds")
        print(f"stop: {len(late)} late writes in {rounds} rounds; {load.count} runs")
    print("\n".join(faults) or "ok")
    return int(bool(faults))


def stop_for_30_seconds(leader: Replica, standby: Replica) -> list[str]:
    """Stop the leader for 30 s; return what it wrote after it went on."""
    moment = time.monotonic()
    os.kill(leader.program.pid, signal.SIGSTOP)
    taken = first_write(standby, moment, 60.0)
    time.sleep(max(0.0, STOPPED_SECONDS - (time.monotonic() - moment)))
    moment = time.monotonic()
    os.kill(leader.program.pid, signal.SIGCONT)
    until("it has ended", lambda: not leader.program.running)
    ended = time.monotonic() - moment
    code = leader.program.stop()
    late = [what for _, what in leader.writes_after(moment)]
    print(
        f"stop: taken over after {taken:.2f} s, {len(late)} late writes, "
        f"exit {code} after {ended:.2f} s"
    )
    return late if code else [*late, "it exited with 0"]


def check_runs(stack: Stack, count: int) -> list[str]:
    """Wait until all runs have ended; return what is wrong with them."""

    def ended() -> bool:
        counts = stack.client.summary().status
        final = sum(number for status, number in counts.items() if status.final)
        return final >= count

    until("all runs have ended", ended, 300.0, every=1.0)
    jobs = Counter(
        job["metadata"]["labels"].get("sparktest.dev/run-id")
        for job in stack.cluster.list(JOBS, stack.namespace).items
    )
    twice = [run for run, number in jobs.items() if number > 1]
    found = [f"run {run} has several Jobs" for run in twice]
    if len(jobs) != count:
        found.append(f"{len(jobs)} Jobs of {count} TestRuns")
    return found


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 3))
