"""The client against a running API."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sparktest.client import CONTROLLER_WRITE_SECONDS, ApiClient
from sparktest.domain import Failure, FailureClass, Log, LogState, Origin, Run, RunReport, Status
from sparktest.errors import OffsetError, SparkTestError, UnavailableError
from sparktest.http import HttpTransport
from tests.kube.apiserver import apiserver
from tests.kube.faults import Exchange, reply
from tests.live_api import TOKEN, live_api
from tests.scripted_api import Handler, answer, cut, problem, scripted_api, silence

# See the tests of executors, suites, schedules and batches.
UNSETTABLE = {"executor_id", "suite_run_id", "schedule_id", "repeat_of"}


@pytest.fixture
def real(tmp_path: Path) -> Iterator[ApiClient]:
    with live_api(tmp_path) as url, ApiClient(url, TOKEN) as client:
        yield client


def test_every_field_of_a_run_is_transferred(real: ApiClient) -> None:
    payload: dict[str, Any] = {
        "name": "whole",
        "image": "busybox:1.35",
        "env": {"A": "b"},
        "labels": {"team": "x"},
        "command": ["sh"],
        "args": ["-c", "true"],
        "envFrom": [{"configMapRef": {"name": "c"}}],
        "resources": {"limits": {"cpu": "1"}},
        "serviceAccountName": "robot",
        "imagePullSecrets": [{"name": "s"}],
        "git": {"url": "https://example.org/shop.git"},
        "template": {"spec": {"initContainers": [{"name": "fixtures", "image": "busybox"}]}},
        "timeoutSeconds": 60,
        "ttlSecondsAfterFinished": 5,
        "origin": "crd",
        "cluster": "uid-1",
        "k8sRef": {"namespace": "team", "name": "whole", "uid": str(uuid.uuid4())},
    }
    registered = real.create_run(payload)
    real.append_log(registered.id, "test", 0, b"hello\n")
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    real.cancel_run(registered.id)
    failure = Failure(class_=FailureClass.TEST, reason="Error", message="exit code 3", exit_code=3)
    ended = real.report_run(
        registered.id,
        RunReport(
            status=Status.FAILED,
            job_uid="uid-2",
            started_at=at,
            finished_at=at,
            failure=failure,
            log=Log(state=LogState.PARTIAL, reason="NodeLost"),
            status_reason="r",
            git_commit="4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        ),
    )
    definition = real.definitions.create({"name": "d", "image": "i", "commands": ["true"]})
    by_definition = real.run_definition(definition.id)
    rerun = real.rerun_run(by_definition.id)
    seen = (ended, by_definition, rerun)

    assert ended.failure == failure
    assert ended.log == Log(state=LogState.PARTIAL, reason="NodeLost", bytes=6)
    assert ended == real.get_run(ended.id)
    sent = real._http.call("GET", f"/test-runs/{ended.id}").json()
    assert set(sent) <= set(Run.__struct_encode_fields__)
    empty = Run(id="", name="", status=Status.PENDING, origin=Origin.API, created_at=at)
    for field in set(Run.__struct_fields__) - UNSETTABLE:
        unset = getattr(empty, field)
        assert any(getattr(run, field) != unset for run in seen), field


def test_a_log_of_the_real_api_is_read_tailed_and_followed(real: ApiClient) -> None:
    run = real.create_run({"name": "n", "image": "i"})
    real.append_log(run.id, "test", 0, b"one\ntwo\n")
    received: list[bytes] = []
    follower = threading.Thread(target=lambda: received.extend(real.follow_log(run.id, offset=4)))
    follower.start()
    real.append_log(run.id, "test", 8, b"three\n")
    with pytest.raises(OffsetError) as raised:
        real.append_log(run.id, "test", 2, b"other")
    real.report_run(run.id, RunReport(status=Status.SUCCEEDED))
    follower.join(60)

    assert raised.value.stored == 14
    assert b"".join(received) == b"two\nthree\n"
    assert real.get_log(run.id, tail=1) == b"three\n"
    assert real.get_log(run.id) == b"one\ntwo\nthree\n"


def test_connections_of_many_threads_are_kept_and_reused() -> None:
    threads = 20
    barrier = threading.Barrier(threads)

    def reply_to_all_at_once(handler: Exchange) -> None:
        barrier.wait(60)
        reply(b"{}")(handler)

    with apiserver() as server, ThreadPoolExecutor(threads) as pool:
        http = HttpTransport(server.url, {}, clean=lambda value: value, warn=pytest.fail)
        for _ in range(2):
            server.faults += [reply_to_all_at_once] * threads
            list(pool.map(lambda path: http.call("GET", path), ["/"] * threads))
        http.close()
        assert len({request.port for request in server.requests}) == threads


def test_the_result_of_every_request_is_reported() -> None:
    results: list[tuple[str, str | None]] = []
    with scripted_api() as api, ApiClient(api.url) as client:
        client.on_result(
            lambda method, error: results.append((method, error.title if error else None))
        )
        api.scripts = [answer([]), problem(503), problem(410), cut]
        client.list_runs()
        for call in (client.get_run, client.cancel_run, client.delete_run):
            with pytest.raises(SparkTestError):
                call("1")
    assert results == [
        ("GET", None),
        ("GET", "Unavailable"),
        ("POST", "Gone"),
        ("DELETE", "Unavailable"),
    ]


def test_a_write_has_a_timeout_of_its_own() -> None:
    def late(handler: Handler) -> None:
        handler.api.closing.wait(0.2)
        answer({})(handler)

    with scripted_api() as api:
        http = HttpTransport(
            api.url, {}, clean=lambda value: value, warn=pytest.fail, write_timeout_seconds=0.05
        )
        api.scripts = [silence]
        with pytest.raises(UnavailableError, match="timed out"):
            http.call("PUT", "/x")
        api.scripts = [late]
        http.call("GET", "/x")
        http.close()


def test_only_a_controller_gives_its_writes_up_early() -> None:
    with ApiClient("http://h/api") as client, ApiClient("http://h/api", cluster="c") as controller:
        assert controller._http._write_timeout == CONTROLLER_WRITE_SECONDS
        assert client._http._write_timeout == controller._http._read_timeout
