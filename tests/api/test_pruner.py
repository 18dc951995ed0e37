"""The thread that deletes what is older than the retention."""

import msgspec
import pytest

from sparktest.api.context import AppContext
from sparktest.api.pruner import Pruner
from tests.api.requests import create, get, ids, of_testrun, register, report

DAY = 86_400


@pytest.fixture
def ctx(app, ctx):
    settings = msgspec.structs.replace(ctx.settings, retention_days=30)
    context = AppContext(settings, ctx.store, ctx.clock)
    app.extensions["sparktest"] = context
    return context


@pytest.fixture
def client(ctx, app):
    return app.test_client()


def pruner(ctx):
    return Pruner(ctx, pause=lambda seconds: None)


def test_old_runs_are_deleted_and_others_are_not(client, ctx, clock):
    old = create(client)["id"]
    live = create(client)["id"]
    report(client, old, "succeeded")
    clock.advance(31 * DAY)
    new = create(client)["id"]
    assert pruner(ctx).sweep() >= 1
    assert ids(client) == [new, live]
    assert pruner(ctx).sweep() == 0


def test_all_of_many_runs_are_deleted(client, ctx, clock):
    for _ in range(60):
        report(client, create(client)["id"], "succeeded")
    clock.advance(31 * DAY)
    pruner(ctx).sweep()
    assert ids(client) == []


def test_a_testrun_whose_run_was_deleted_is_not_registered_again(client, ctx, clock):
    run = register(client)["id"]
    report(client, run, "succeeded")
    clock.advance(31 * DAY)
    # As long as the controller asks for it, and 30 days more.
    for _ in range(3):
        pruner(ctx).sweep()
        assert client.post("/api/test-runs", json=of_testrun()).status_code == 410
        body = {"cluster": "cluster-1"}
        assert client.put(f"/api/test-runs/{run}/claim", json=body).status_code == 410
        clock.advance(29 * DAY)
    clock.advance(2 * DAY)
    pruner(ctx).sweep()
    assert client.post("/api/test-runs", json=of_testrun()).status_code == 201


def test_one_process_works_at_a_time(client, ctx, clock):
    run = create(client)["id"]
    report(client, run, "succeeded")
    pruner(ctx).sweep()
    clock.advance(30 * DAY - 60)
    first, second = pruner(ctx), pruner(ctx)
    first.sweep()
    clock.advance(61)
    assert second.sweep() == 0
    assert ids(client) == [run]
    assert first.sweep() >= 1
    assert ids(client) == []


def test_a_stopping_server_does_not_wait_for_it(client, ctx, clock):
    run = create(client)["id"]
    report(client, run, "succeeded")
    clock.advance(31 * DAY)
    ctx.closing.set()
    assert pruner(ctx).sweep() == 0
    assert get(client, run)["status"] == "succeeded"
