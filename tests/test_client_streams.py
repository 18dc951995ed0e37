"""The streams of the client continue by themselves."""

import threading

import pytest

from sparktest import client_streams
from sparktest.client import ApiClient
from sparktest.domain import RunReport, Status
from sparktest.errors import SparkTestError
from tests.live_api import TOKEN, live_api


@pytest.fixture
def url(tmp_path):
    with live_api(tmp_path) as url:
        yield url


@pytest.fixture
def api(url):
    with ApiClient(url, TOKEN) as client:
        yield client


def new_run(api) -> str:
    return str(api.create_run({"name": "a", "image": "busybox", "commands": ["true"]}).id)


def test_events_have_the_runs(api):
    run_id = new_run(api)
    events = api.events(last_id="x")
    assert next(events).kind == "resync"
    other = new_run(api)
    event = next(events)
    assert (event.kind, event.run_id, event.run.status) == ("created", other, Status.PENDING)
    api.report_run(run_id, RunReport(status=Status.FAILED))
    event = next(events)
    assert (event.kind, event.run_id, event.run.status) == ("updated", run_id, Status.FAILED)
    api.delete_run(run_id)
    event = next(events)
    assert (event.kind, event.run_id, event.run) == ("deleted", run_id, None)


def test_events_continue_after_an_interruption(api, monkeypatch):
    monkeypatch.setattr("sparktest.api.streams.MAX_EVENTS_SECONDS", 0.0)
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        made.append(new_run(api))

    made = [new_run(api)]
    events = client_streams.run_events(api._http, {}, "x", pause)
    assert next(events).kind == "resync"
    monkeypatch.setattr("sparktest.api.streams.MAX_EVENTS_SECONDS", 900.0)
    assert next(events).run_id == made[1]
    assert len(pauses) == 1


def test_events_can_be_filtered(api):
    events = api.events(last_id="x", origin=["crd"])
    assert next(events).kind == "resync"
    run_id = new_run(api)
    api.report_run(run_id, RunReport(status=Status.FAILED))
    api.delete_run(run_id)
    assert next(events).kind == "deleted"


def test_a_refused_stream_is_not_repeated(url):
    with ApiClient(url, "spt_wrong") as client, pytest.raises(SparkTestError):
        next(client.events())


def test_a_log_is_followed_with_its_bytes(api):
    run_id = new_run(api)
    received: list[bytes] = []
    follower = threading.Thread(target=lambda: received.extend(api.follow_log(run_id)))
    api.append_log(run_id, "test", 0, "grün".encode())
    follower.start()
    api.append_log(run_id, "test", 5, b"\xff\x00\n")
    api.report_run(run_id, RunReport(status=Status.SUCCEEDED))
    follower.join(60)
    assert b"".join(received) == "grün".encode() + b"\xff\x00\n"
