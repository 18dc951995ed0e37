"""A log that is larger than SPARKTEST_LOG_MAX_BYTES is cut, and its sender need not know."""

from threading import Semaphore
from typing import cast

import msgspec
import pytest

from sparktest.api.context import AppContext
from sparktest.api.store import logs as store_logs
from sparktest.client import ApiClient
from sparktest.controller.logs import uploader
from sparktest.controller.logs.uploader import LogUploader
from sparktest.errors import OffsetError
from tests.api.requests import answered, create, get, report
from tests.api.test_logs import put, read

LIMIT = 1024
LINE = b"0123456789abcde\n"
MARKER = b"[sparktest: the log has more than 1024 bytes (SPARKTEST_LOG_MAX_BYTES); the rest was "
TOO_LARGE = {"state": "partial", "reason": "LogTooLarge"}


@pytest.fixture
def client(app, ctx):
    settings = msgspec.structs.replace(ctx.settings, log_max_bytes=LIMIT)
    app.extensions["sparktest"] = AppContext(settings, ctx.store, ctx.clock)
    return app.test_client()


@pytest.fixture
def run(client):
    return create(client)["id"]


@pytest.mark.parametrize("piece", [16, 40, 1000, 5000])
def test_the_beginning_is_kept_and_a_line_says_so(client, run, piece):
    log = LINE * 300
    for offset in range(0, len(log), piece):
        data = log[offset : offset + piece]
        assert answered(put(client, run, data, offset), 200) == {"bytes": offset + len(data)}
    kept, _, rest = read(client, run).partition(MARKER)
    assert kept in (LINE * 64, LINE * 63 + LINE[:8] + b"\n", LINE * 62 + LINE[:8] + b"\n")
    assert rest == b"not stored]\n"
    assert read(client, run, "tail=1").startswith(MARKER)
    assert read(client, run, f"offset={len(kept)}").startswith(MARKER)
    assert get(client, run)["log"] == TOO_LARGE | {"bytes": len(log)}


def test_the_report_of_a_complete_log_does_not_make_it_complete(client, run):
    put(client, run, LINE * 300, 0)
    report(client, run, "succeeded", log={"state": "complete", "bytes": 4800})
    assert get(client, run)["status"] == "succeeded"
    assert get(client, run)["log"] == TOO_LARGE | {"bytes": 4800}


def test_a_report_of_more_than_was_sent_is_still_refused(client, run):
    put(client, run, LINE * 300, 0)
    body = {"status": "succeeded", "log": {"state": "complete", "bytes": 4801}}
    response = client.put(f"/api/test-runs/{run}/report", json=body)
    assert answered(response, 409)["stored"] == 4800


def test_bytes_that_are_sent_again_change_nothing(client, run):
    log = LINE * 300
    put(client, run, log, 0)
    before = read(client, run)
    for start, end in ((0, 4800), (4000, 4800), (1000, 1100), (4800, 4800)):
        assert answered(put(client, run, log[start:end], start), 200) == {"bytes": 4800}
    assert answered(put(client, run, b"x" * 100, 990), 409)["stored"] == 4800
    assert answered(put(client, run, b"x", 4801), 409)["stored"] == 4800
    assert read(client, run) == before


def test_more_bytes_are_counted_than_one_row_can_count(client, run, monkeypatch):
    monkeypatch.setattr(store_logs, "MAX_DISCARDED", 100)
    log = LINE * 300
    for offset in range(0, len(log), 80):
        answered(put(client, run, log[offset : offset + 80], offset), 200)
    assert get(client, run)["log"]["bytes"] == 4800
    assert read(client, run).startswith(LINE * 60)
    assert read(client, run).endswith(b"not stored]\n")
    assert answered(put(client, run, log[900:4000], 900), 200) == {"bytes": 4800}


def test_each_container_has_its_own_limit(client, run):
    put(client, run, LINE * 300, 0)
    put(client, run, LINE * 10, 0, "proxy")
    assert read(client, run, "container=proxy") == LINE * 10


class Api:
    """The client of the controller, over the client of the tests."""

    def __init__(self, client):
        self.client = client
        self.sent = 0

    def append_log(self, run_id, container, offset, data):
        self.sent += 1
        response = put(self.client, run_id, data, offset, container)
        if response.status_code == 409:
            raise OffsetError("differs", stored=response.get_json()["stored"])
        return answered(response, 200)["bytes"]


def test_the_controllers_uploader_ends_and_its_report_is_taken(client, run, monkeypatch):
    monkeypatch.setattr(uploader, "MAX_CHUNK_BYTES", 500)
    monkeypatch.setattr(uploader, "OVERLAP_BYTES", 100)
    log = LINE * 300
    # The second one is that of a controller that was restarted, and has more to send.
    for data, requests in ((log[:4000], 8), (log, 4)):
        api = Api(client)
        sender = LogUploader(cast("ApiClient", api), run, "test", appends=Semaphore())
        assert list(sender.append(data)) == []
        assert (sender.stored, sender.gaps) == (len(data), 0)
        assert api.sent <= requests
    report(client, run, "succeeded", log={"state": "complete", "bytes": sender.stored})
    assert get(client, run)["log"] == TOO_LARGE | {"bytes": 4800}
    assert read(client, run).count(b"sparktest") == 1
