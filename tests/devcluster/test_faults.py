"""The faults that tests inject, as a client sees them."""

import http.client
import time
from typing import Any

import pytest

from tests.devcluster.client import (
    JOBS,
    MAPS,
    Client,
    conditions,
    config_map,
    ended_job,
    eventually,
    job,
    pod_in,
)
from tests.devcluster.faults import WRITES, Calls, Faults


def version(client: Client) -> str:
    return str(client.get(MAPS)["metadata"]["resourceVersion"])


def name_of(event: Any) -> str:
    return str(event["object"]["metadata"]["name"])


@pytest.mark.parametrize("code", [401, 403, 404, 409, 410, 429, 500, 503])
def test_a_call_is_answered_with_an_error_and_not_executed(
    own: Client, faults: Faults, code: int
) -> None:
    faults.answer(code)
    reply = own.call("POST", MAPS, config_map("a"))
    assert (reply.code, reply.body["kind"], reply.body["code"]) == (code, "Status", code)
    assert own.call("GET", f"{MAPS}/a").code == 404
    own.create(MAPS, config_map("a"))


def test_an_error_can_have_a_retry_after(own: Client, faults: Faults) -> None:
    faults.answer(429, retry_after=7)
    reply = own.call("GET", MAPS)
    assert (reply.code, reply.headers["Retry-After"]) == (429, "7")
    assert reply.body["details"] == {"retryAfterSeconds": 7}


def test_a_fault_hits_only_matching_calls(own: Client, faults: Faults) -> None:
    own.create(MAPS, config_map("a"))
    own.create(MAPS, config_map("b"))
    faults.answer(500, Calls(verbs=("get",), resource="configmaps", name="a", times=2))
    codes = [own.call("GET", f"{MAPS}/{name}").code for name in "abaa"]
    assert codes == [500, 200, 500, 200]


def test_a_fault_can_hit_a_random_share_of_the_calls(own: Client, faults: Faults) -> None:
    faults.answer(500, Calls(verbs=WRITES, times=None, share=0.3))
    codes = [own.call("POST", MAPS, config_map(f"a{number}")).code for number in range(200)]
    assert 30 <= codes.count(500) <= 90
    assert len(own.get(MAPS)["items"]) == codes.count(201)
    faults.clear()
    own.create(MAPS, config_map("b"))


def test_a_call_whose_reply_is_lost_is_executed(own: Client, faults: Faults) -> None:
    faults.lose_reply(Calls(verbs=("create",)))
    with pytest.raises(http.client.RemoteDisconnected):
        own.call("POST", MAPS, config_map("a"))
    assert name_of({"object": own.get(f"{MAPS}/a")}) == "a"


def test_a_call_can_be_delayed(own: Client, faults: Faults) -> None:
    faults.delay(0.3, Calls(verbs=("get",)))
    own.create(MAPS, config_map("a"))
    began = time.monotonic()
    own.get(f"{MAPS}/a")
    assert time.monotonic() - began >= 0.3


def test_a_dropped_watch_is_cut_and_can_be_resumed(own: Client, faults: Faults) -> None:
    begin = version(own)
    with own.stream(f"{MAPS}?watch=1&resourceVersion={begin}") as stream:
        own.create(MAPS, config_map("a"))
        event = stream.event()
        faults.drop_watches()
        with pytest.raises(http.client.IncompleteRead):
            stream.rest()
    own.create(MAPS, config_map("b"))
    last = event["object"]["metadata"]["resourceVersion"]
    with own.stream(f"{MAPS}?watch=1&resourceVersion={last}") as stream:
        assert name_of(stream.event()) == "b"


def test_a_dropped_log_follower_is_cut(own: Client, faults: Faults) -> None:
    own.create(JOBS, job("a", "echo up; sleep 60"))
    name = pod_in(own, "a", "running")["metadata"]["name"]
    path = f"/api/v1/namespaces/default/pods/{name}/log?follow=1"
    with own.stream(path) as stream:
        assert stream.line() == b"up\n"
        faults.drop_watches()
        with pytest.raises(http.client.IncompleteRead):
            stream.rest()


def test_a_frozen_watch_stays_open_and_silent_while_a_later_one_works(
    own: Client, faults: Faults
) -> None:
    path = f"{MAPS}?watch=1&resourceVersion={version(own)}"
    with own.stream(path) as silent, own.stream(path) as frozen:
        faults.freeze_watches()
        own.create(MAPS, config_map("a"))
        silent.timeout(0.3)
        with pytest.raises(TimeoutError):
            silent.line()
        with own.stream(path) as later:
            assert name_of(later.event()) == "a"
        faults.thaw_watches()
        assert name_of(frozen.event()) == "a"


def test_a_forgotten_history_ends_watches_and_pages_with_410(own: Client, faults: Faults) -> None:
    for name in "abc":
        own.create(MAPS, config_map(name))
    page = own.get(f"{MAPS}?limit=1")["metadata"]
    with own.stream(f"{MAPS}?watch=1&resourceVersion={page['resourceVersion']}") as stream:
        faults.forget_history()
        assert stream.event()["object"]["code"] == 410
    assert own.call("GET", f"{MAPS}?limit=1&continue={page['continue']}").code == 410


def test_deadlines_and_ttls_expire_when_the_clock_is_set_ahead(own: Client, faults: Faults) -> None:
    own.create(JOBS, job("short", "sleep 60", spec={"activeDeadlineSeconds": 1000}))
    own.create(JOBS, job("pod", "sleep 60", pod={"activeDeadlineSeconds": 2000}))
    own.create(JOBS, job("gone", "true", spec={"ttlSecondsAfterFinished": 3000}))
    pod_in(own, "short", "running")
    pod_in(own, "pod", "running")
    ended_job(own, "gone")
    faults.move_clock(1001)
    assert conditions(ended_job(own, "short"))["Failed"] == "DeadlineExceeded"
    assert "Failed" not in conditions(own.get(f"{JOBS}/pod"))
    faults.move_clock(1000)
    assert conditions(ended_job(own, "pod"))["Failed"] == "BackoffLimitExceeded"
    faults.move_clock(1000)
    eventually(lambda: own.call("GET", f"{JOBS}/gone").code == 404)


def test_no_deadline_expires_when_the_clock_is_set_back(own: Client, faults: Faults) -> None:
    own.create(JOBS, job("a", "sleep 0.5; echo done", pod={"activeDeadlineSeconds": 60}))
    pod_in(own, "a", "running")
    faults.move_clock(-3600)
    done = ended_job(own, "a")
    assert "Complete" in conditions(done)
    assert done["status"]["startTime"] > done["status"]["completionTime"]
