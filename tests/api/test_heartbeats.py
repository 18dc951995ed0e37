"""The heartbeats of controllers: whose requests count as one."""

from datetime import UTC, datetime

import pytest

from sparktest.api.store import runs
from sparktest.domain import Scope
from tests.api.credentials import BOOTSTRAP, bearer, issue
from tests.api.databases import statements
from tests.api.requests import answered

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("token_needed")


def clusters(client):
    seen = answered(client.get("/api/controllers", headers=bearer(BOOTSTRAP)), 200)
    return {each["cluster"] for each in seen}


def send(client, path, token=None, cluster="c1"):
    headers = bearer(token) if token else {}
    return client.get(path, headers=headers | {"SparkTest-Controller": cluster})


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/api/health", "/api/test-runs", "/nowhere"])
def test_without_a_token_nobody_is_a_controller(client, path):
    send(client, path)
    assert clusters(client) == set()


@pytest.mark.parametrize("scope", [Scope.READ, Scope.RUN, Scope.ADMIN])
def test_another_scope_than_controller_makes_no_controller(client, scope):
    token = issue(client, scope)["token"]
    answered(send(client, "/api/test-runs", token), 200)
    answered(send(client, "/api/test-runs", token, cluster="x" * 200), 200)
    assert clusters(client) == set()


@pytest.mark.parametrize("path", ["/livez", "/api/controllers", "/nowhere"])
def test_on_routes_that_no_controller_uses_there_is_no_heartbeat(client, path):
    send(client, path, BOOTSTRAP)
    assert clusters(client) == set()


def test_a_request_of_a_controller_is_its_heartbeat(client):
    token = issue(client, Scope.CONTROLLER)["token"]
    answered(send(client, "/api/test-runs", token), 200)
    answered(send(client, "/api/test-runs", BOOTSTRAP, cluster="c2"), 200)
    assert clusters(client) == {"c1", "c2"}


def test_the_cluster_of_a_controller_must_be_printable_and_short(client):
    for cluster in ("", "x" * 129, "é", "a\tb"):
        assert (
            "SparkTest-Controller"
            in answered(send(client, "/api/test-runs", BOOTSTRAP, cluster=cluster), 422)["detail"]
        )
    assert clusters(client) == set()


def test_a_cluster_is_dropped_a_day_after_its_last_heartbeat(client, clock):
    answered(send(client, "/api/test-runs", BOOTSTRAP, cluster="old"), 200)
    clock.advance(86_400)
    answered(send(client, "/api/test-runs", BOOTSTRAP, cluster="day"), 200)
    assert clusters(client) == {"old", "day"}
    clock.advance(1)
    answered(send(client, "/api/test-runs", BOOTSTRAP, cluster="new"), 200)
    assert clusters(client) == {"day", "new"}


def test_the_newest_clusters_are_kept(client, clock, monkeypatch):
    monkeypatch.setattr(runs, "MAX_CONTROLLERS", 2)
    for cluster in ("c1", "c2", "c3"):
        clock.advance(1)
        answered(send(client, "/api/test-runs", BOOTSTRAP, cluster=cluster), 200)
    assert clusters(client) == {"c2", "c3"}


def test_a_transaction_reads_the_heartbeats_once_and_again_after_a_change(store):
    def work(connection):
        before = runs.heartbeats(connection)
        again = runs.heartbeats(connection)
        runs.record_heartbeat(connection, "c1", NOW)
        return before, again, runs.heartbeats(connection)

    with statements(store) as sent:
        assert store.write(work) == ({}, {}, {"c1": NOW})
    assert len([one for one in sent if one.startswith("SELECT controllers")]) == 2
    # And it does not remain for the next one.
    with statements(store) as sent:
        store.write(runs.heartbeats)
    assert len([one for one in sent if one.startswith("SELECT controllers")]) == 1
