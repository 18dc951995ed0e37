"""Counts of runs."""

import pytest

from sparktest.api.store import run_summary
from tests.api.requests import answered, create, pointers, register, report


@pytest.fixture
def summary(client):
    return lambda query="": answered(client.get(f"/api/test-runs/summary?{query}"), 200)


def test_without_runs_all_counts_are_zero(summary):
    found = summary()
    assert (found["total"], found["complete"], found["oldest"]) == (0, True, None)
    assert set(found["status"].values()) | set(found["class"].values()) == {0}
    assert found["namespace"] == {}


def test_runs_are_counted_by_status_origin_cause_and_namespace(client, summary, clock):
    oldest = create(client)["createdAt"]
    clock.advance(60)
    failed = register(client, labels={"team": "shop"})
    failure = {"class": "infra", "reason": "OOMKilled", "message": ""}
    report(client, failed["id"], "failed", failure=failure)
    create(client)
    found = summary()
    assert (found["total"], found["complete"], found["oldest"]) == (3, True, oldest)
    assert {name: n for name, n in found["status"].items() if n} == {"pending": 2, "failed": 1}
    assert found["origin"] == {"api": 2, "crd": 1}
    assert {name: n for name, n in found["class"].items() if n} == {"infra": 1}
    assert found["namespace"] == {"tests": 2, "shop": 1}


def test_the_filters_of_the_list_select_what_is_counted(client, summary, clock):
    create(client)
    clock.advance(60)
    register(client, labels={"team": "shop"})
    assert summary("origin=crd")["total"] == 1
    assert summary("label=team%21%3Dshop")["total"] == 1
    assert summary("since=2026-05-01T12:00:30Z")["namespace"] == {"shop": 1}
    assert summary("q=none")["total"] == 0
    assert pointers(client.get("/api/test-runs/summary?limit=1&colour=red")) == {
        "/limit",
        "/colour",
    }


def test_only_the_newest_are_counted(client, summary, monkeypatch, clock):
    monkeypatch.setattr(run_summary, "MAX_COUNTED", 2)
    for _ in range(3):
        created = create(client)["createdAt"]
        clock.advance(60)
    found = summary()
    assert (found["total"], found["complete"]) == (2, False)
    assert found["oldest"] < created


def test_earlier_clients_find_it_too(client):
    assert answered(client.get("/api/runs/summary"), 200)["total"] == 0
