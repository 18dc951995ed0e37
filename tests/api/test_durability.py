"""What was acknowledged is stored: through kill -9 of the API, and through concurrent edits."""

import os
import signal
import threading
import uuid
from collections import Counter
from functools import partial
from itertools import cycle

import pytest
import requests

from bench.processes import children
from sparktest.api import create_app
from sparktest.settings import Settings
from tests.api import databases
from tests.api.requests import adhoc, answered, concurrently, define
from tests.api.servers import TIMEOUT_SECONDS, running, wait_until

WRITERS = 6
ACKNOWLEDGED = 40


class Writers:
    """Threads that create runs, each with a key of its own, until the API is gone."""

    def __init__(self, address: str) -> None:
        self.url = f"{address}/api/test-runs"
        # The run of each key; None for a request without a response.
        self.runs: dict[str, str | None] = {}
        self.threads = [threading.Thread(target=self.create) for _ in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def create(self) -> None:
        with requests.Session() as session:
            while True:
                key = str(uuid.uuid4())
                self.runs[key] = None
                try:
                    response = post(session, self.url, key)
                except requests.RequestException:
                    return
                assert response.status_code == 201
                self.runs[key] = response.json()["id"]

    def acknowledged(self) -> int:
        return sum(run is not None for run in list(self.runs.values()))


def post(session, url, key):
    headers = {"Idempotency-Key": key}
    return session.post(url, json=adhoc(name=key), headers=headers, timeout=TIMEOUT_SECONDS)


def list_names(address: str) -> list[tuple[str, str]]:
    """Return name and id of all runs."""
    url, found = f"{address}/api/test-runs?limit=1000", []
    while url:
        response = requests.get(url, timeout=TIMEOUT_SECONDS)
        found += [(run["name"], run["id"]) for run in response.json()]
        url = requests.compat.urljoin(url, response.links.get("next", {}).get("url", ""))
        url = url if "next" in response.links else ""
    return found


@pytest.mark.parametrize("kind", databases.ENGINES)
def test_kill_9_loses_no_acknowledged_run_and_a_repeated_key_creates_no_second(kind, tmp_path):
    with databases.empty(kind, tmp_path) as url:
        with running(url) as (process, address):
            writers = Writers(address)
            wait_until(lambda: writers.acknowledged() >= ACKNOWLEDGED)
            for pid in (process.pid, *children(process.pid)):
                os.kill(pid, signal.SIGKILL)
            for thread in writers.threads:
                thread.join(TIMEOUT_SECONDS)
        with running(url) as (_, address), requests.Session() as session:
            before = list_names(address)
            for key, run in writers.runs.items():
                again = answered_json(post(session, f"{address}/api/test-runs", key))
                assert run in (None, again["id"])
                writers.runs[key] = again["id"]
            after = list_names(address)
    acknowledged = {key: run for key, run in writers.runs.items() if run}
    assert dict(after) == acknowledged
    assert set(Counter(name for name, _ in after).values()) == {1}
    assert set(before) <= set(after)


def answered_json(response):
    assert response.status_code == 201, response.text
    return response.json()


@pytest.fixture
def clients(app, ctx, clock):
    """Endless clients, in turns of two processes: each application has a writer of its own."""
    url = ctx.store.engine.url.render_as_string(hide_password=False)
    other = create_app(Settings(database_url=url, namespace="tests"), clock=clock)
    yield (each.test_client() for each in cycle([app, other]))
    other.extensions["sparktest"].store.close()


def test_edits_of_different_fields_at_once_are_all_applied(client, clients):
    url = f"/api/test-definitions/{define(client)['id']}"

    def patch(sender, number):
        return [
            sender.patch(url, json={"env": {f"V{number}_{turn}": "x"}}).status_code
            for turn in range(5)
        ]

    assert concurrently([partial(patch, next(clients), n) for n in range(8)]) == [[200] * 5] * 8
    definition = answered(client.get(url), 200)
    assert set(definition["env"]) == {
        f"V{number}_{turn}" for number in range(8) for turn in range(5)
    }
    assert definition["version"] == 41


def test_of_edits_of_one_version_at_once_one_succeeds_and_the_others_are_stale(client, clients):
    url = f"/api/test-definitions/{define(client)['id']}"
    for version in range(1, 6):
        tag = {"If-Match": f'"{version}"'}

        def edit(sender, tag=tag):
            return sender.patch(url, json={"description": "x"}, headers=tag).status_code

        edits = [partial(edit, next(clients)) for _ in range(8)]
        assert sorted(concurrently(edits)) == [200] + [412] * 7
    assert answered(client.get(url), 200)["version"] == 6


def test_of_objects_with_one_name_created_at_once_one_succeeds_and_the_others_conflict(clients):
    body = {"name": "smoke", "image": "busybox"}
    for path in ("/api/test-definitions", "/api/test-executors"):

        def create(sender, path=path):
            return sender.post(path, json=body).status_code

        creates = [partial(create, next(clients)) for _ in range(8)]
        assert sorted(concurrently(creates)) == [201] + [409] * 7
