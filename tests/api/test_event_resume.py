"""A client that follows the events through kill -9 misses none and gets none twice."""

import json
import os
import signal
import threading
from contextlib import suppress
from urllib.parse import urljoin

import pytest
import requests

from bench.processes import children, free_port
from tests.api import databases
from tests.api.requests import adhoc
from tests.api.servers import TIMEOUT_SECONDS, running, wait_until
from tests.api.sse_reader import read

WRITERS = 2
# Between two kills.
EVENTS = 10


class Client(threading.Thread):
    """A thread that follows the events, and connects again after the last one that it has.

    Attributes:
        events: (kind, data, id) of each.
    """

    def __init__(self, url: str, stop: threading.Event) -> None:
        super().__init__()
        self.events: list[tuple[str, bytes, str]] = []
        self._url = url
        self._stop_requested = stop

    def run(self) -> None:
        while not self._stop_requested.is_set():
            with suppress(requests.RequestException):
                self._follow()
            self._stop_requested.wait(0.02)

    def _follow(self) -> None:
        # From the beginning, if there was none.
        last_id = self.events[-1][2] if self.events else "0"
        headers = {"Last-Event-ID": last_id}
        with requests.get(
            f"{self._url}/events", headers=headers, stream=True, timeout=TIMEOUT_SECONDS
        ) as response:
            response.raise_for_status()
            for event in read(response.iter_content(None)):
                self.events.append(event)


def write(url: str, stop: threading.Event) -> None:
    while not stop.is_set():
        with suppress(requests.RequestException):
            requests.post(url, json=adhoc(), timeout=TIMEOUT_SECONDS)


def stored_runs(url: str) -> list[str]:
    found: list[str] = []
    page: str | None = f"{url}?limit=1000"
    while page:
        response = requests.get(page, timeout=TIMEOUT_SECONDS)
        found += [run["id"] for run in response.json()]
        following = response.links.get("next")
        page = urljoin(page, following["url"]) if following else None
    return found


def kill(process: int) -> None:
    # A worker may just be about to be replaced.
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("kind", databases.ENGINES)
def test_through_kill_9_of_workers_and_master_each_event_arrives_once(kind, tmp_path):
    port, stop, stop_writers = str(free_port()), threading.Event(), threading.Event()
    url = f"http://127.0.0.1:{port}/api/test-runs"
    client = Client(url, stop)
    writers = [threading.Thread(target=write, args=(url, stop_writers)) for _ in range(WRITERS)]

    def wait_for_more() -> None:
        before = len(client.events)
        wait_until(lambda: len(client.events) >= before + EVENTS)

    with databases.empty(kind, tmp_path) as database:
        try:
            for thread in (client, *writers):
                thread.start()
            with running(database, SPARKTEST_PORT=port) as (master, _):
                wait_for_more()
                for worker in children(master.pid):
                    kill(worker)
                wait_for_more()
                kill(master.pid)
            with running(database, SPARKTEST_PORT=port):
                wait_for_more()
                stop_writers.set()
                for thread in writers:
                    thread.join()
                runs = stored_runs(url)
                wait_until(lambda: len(client.events) >= len(runs))
                stop.set()
        finally:
            # The end of the server has ended the stream.
            stop_writers.set()
            stop.set()
            for thread in (client, *writers):
                thread.join()
    ids = [int(event_id) for _, _, event_id in client.events]
    assert ids == sorted(set(ids))
    assert {kind for kind, _, _ in client.events} == {"created"}
    created = [json.loads(data)["id"] for _, data, _ in client.events]
    assert sorted(created) == sorted(runs)
