"""How the server reloads, ends, and survives the death of its processes."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import requests

from bench.processes import children
from tests.api import databases
from tests.api.requests import adhoc
from tests.api.servers import PROGRAM, TIMEOUT_SECONDS, running, wait_until

FIRST, SECOND = "first-token-0123456789", "second-token-0123456789"


def status(url: str, token: str = "") -> int:
    """Return the status of a GET request on a new connection; 0 when it fails."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        return requests.get(url, headers=headers, timeout=TIMEOUT_SECONDS).status_code
    except requests.ConnectionError:
        return 0


def end(process, number=signal.SIGTERM) -> float:
    """Send a signal and return how long the process then takes to end."""
    started = time.monotonic()
    process.send_signal(number)
    process.wait(TIMEOUT_SECONDS)
    return time.monotonic() - started


def test_sighup_loads_the_configuration_and_loses_no_request(tmp_path):
    token = tmp_path / "token"
    token.write_text(FIRST)
    seen: list[int] = []
    done = threading.Event()

    with running(f"sqlite:///{tmp_path}/s.db", SPARKTEST_TOKEN_FILE=str(token)) as (api, address):

        def load() -> None:
            with requests.Session() as session:
                while not done.wait(0.01):
                    answer = session.get(f"{address}/readyz", timeout=TIMEOUT_SECONDS)
                    seen.append(answer.status_code)

        wait_until(lambda: status(f"{address}/api/test-runs", FIRST) == 200)
        clients = [threading.Thread(target=load) for _ in range(3)]
        for client in clients:
            client.start()
        before = set(children(api.pid))
        token.write_text(SECOND)
        api.send_signal(signal.SIGHUP)
        try:
            wait_until(lambda: (now := set(children(api.pid))) and not now & before)
        finally:
            done.set()
            for client in clients:
                client.join()
        assert status(f"{address}/api/test-runs", SECOND) == 200
        assert status(f"{address}/api/test-runs", FIRST) == 401
        end(api)
        assert "Traceback" not in "".join(api.communicate())
    assert set(seen) == {200}


def test_a_configuration_that_is_invalid_is_not_loaded(tmp_path):
    token = tmp_path / "token"
    token.write_text(FIRST)
    with running(f"sqlite:///{tmp_path}/s.db", SPARKTEST_TOKEN_FILE=str(token)) as (api, address):
        wait_until(lambda: status(f"{address}/api/test-runs", FIRST) == 200)
        token.unlink()
        api.send_signal(signal.SIGHUP)
        assert api.stderr
        assert "not reloaded" in api.stderr.readline()
        assert status(f"{address}/api/test-runs", FIRST) == 200


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_a_reload_does_not_lose_the_signal_that_ends_the_server(tmp_path, seconds):
    with running(f"sqlite:///{tmp_path}/s.db") as (api, _):
        # Before it can handle them, too.
        api.send_signal(signal.SIGHUP)
        time.sleep(seconds)
        end(api)
        assert (api.returncode, *api.communicate()) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_is_announced_while_requests_are_served(tmp_path, number):
    with running(f"sqlite:///{tmp_path}/s.db") as (api, address):
        with requests.Session() as kept:
            assert kept.get(f"{address}/readyz", timeout=TIMEOUT_SECONDS).status_code == 200
            api.send_signal(number)
            wait_until(lambda: status(f"{address}/readyz") == 503)
            answer = kept.get(f"{address}/livez", timeout=TIMEOUT_SECONDS)
            assert answer.status_code == 200
            assert answer.headers["Connection"] == "close"
        out, err = api.communicate(timeout=TIMEOUT_SECONDS)
        assert (api.returncode, out, err) == (0, "", "")


def test_the_end_comes_in_time_under_load_and_a_second_signal_is_obeyed_at_once(tmp_path):
    with running(f"sqlite:///{tmp_path}/s.db") as (api, address):
        wait_until(lambda: status(f"{address}/livez") == 200)
        done = threading.Event()

        def load() -> None:
            while not done.wait(0.05):
                status(f"{address}/api/health")

        client = threading.Thread(target=load)
        client.start()
        try:
            api.send_signal(signal.SIGTERM)
            wait_until(lambda: status(f"{address}/readyz") == 503)
            assert end(api) < 3
        finally:
            done.set()
            client.join()


@pytest.mark.parametrize("kind", databases.ENGINES)
def test_sigterm_interrupts_log_streams_and_exits_with_0(kind, tmp_path):
    with databases.empty(kind, tmp_path) as url, running(url) as (process, address):
        runs = f"{address}/api/test-runs"
        run = requests.post(runs, json=adhoc(), timeout=TIMEOUT_SECONDS).json()["id"]
        log = {"Content-Type": "application/octet-stream"}
        url = f"{runs}/{run}/logs"
        requests.put(f"{url}/test?offset=0", data=b"one", headers=log, timeout=TIMEOUT_SECONDS)
        with requests.get(f"{url}?follow=true", stream=True, timeout=TIMEOUT_SECONDS) as response:
            parts = response.iter_content(chunk_size=None)
            assert next(parts) == b"one"
            process.send_signal(signal.SIGTERM)
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                list(parts)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_worker_that_is_killed_is_replaced(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    with running(url, SPARKTEST_API_WORKERS="2") as (api, address):
        wait_until(lambda: len(set(children(api.pid))) == 2)
        before = set(children(api.pid))
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(children(api.pid)) - before) == 2)
        assert status(f"{address}/readyz") == 200


def test_workers_end_with_their_master_and_leave_the_port(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    with running(url) as (api, address):
        wait_until(lambda: status(f"{address}/livez") == 200)
        (worker,) = set(children(api.pid))
        # A connection that is open does not keep the port either.
        with requests.Session() as kept:
            kept.get(f"{address}/livez", timeout=TIMEOUT_SECONDS)
            api.kill()
            api.wait(TIMEOUT_SECONDS)
            wait_until(lambda: not Path(f"/proc/{worker}").exists())
            port = address.rpartition(":")[2]
            with running(url, SPARKTEST_PORT=port) as (_, second):
                assert second == address
                wait_until(lambda: status(f"{second}/livez") == 200)


def test_a_worker_that_cannot_start_ends_the_server_with_one_sentence(tmp_path):
    program = PROGRAM.replace(
        "serve(load())",
        """
from sparktest.api.server import master
from sparktest.errors import InvalidError, SparkTestError
def fail(*args, **options):
    raise InvalidError("the worker is broken on purpose")
master.create_app = fail
try:
    serve(load())
except SparkTestError as error:
    raise SystemExit(f"ended: {error}")
""",
    )
    with running(f"sqlite:///{tmp_path}/s.db", program) as (api, _):
        _, err = api.communicate(timeout=TIMEOUT_SECONDS)
    assert api.returncode == 1
    assert "the worker is broken on purpose" in err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("ended: the API could not start")
