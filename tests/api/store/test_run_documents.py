"""The JSON that the database makes of a run is the document that the serializer makes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparktest.api.serializers import serialize_run
from sparktest.api.store import run_documents, run_pages, runs
from sparktest.domain import LogState, Run, Status
from tests.api import databases
from tests.api.store.rows import run_row

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
# No surrogates, and no NUL: the API refuses them.
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)
SOME = TEXT | st.none()
TEXTS = st.lists(TEXT, max_size=3)
MAP = st.dictionaries(TEXT, TEXT, max_size=2)
TIME = st.integers(0, 2**37).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
NEAR = TIME | st.integers(-2_000_000, 2_000_000).map(lambda us: NOW + timedelta(microseconds=us))
FAILURE = st.fixed_dictionaries({"class": st.just("test"), "reason": TEXT, "message": TEXT})
RUN = st.fixed_dictionaries(
    {
        "name": TEXT,
        "status": st.sampled_from(list(Status)),
        "status_reason": SOME,
        "status_message": SOME,
        "image": TEXT,
        "commands": TEXTS,
        "entrypoint": TEXTS,
        "args": TEXTS,
        "env": MAP,
        "env_from": st.lists(MAP, max_size=1),
        "resources": MAP,
        "service_account_name": SOME,
        "git_commit": SOME,
        "timeout_seconds": st.integers(1, 2**31 - 1),
        "ttl_seconds_after_finished": st.none() | st.integers(0, 2**31 - 1),
        "cluster": st.sampled_from([None, "c", 'of "ours"\\', "silent"]),
        "job_uid": SOME,
        "test_definition_id": st.none() | st.just("d" * 36),
        "definition_name": SOME,
        "schedule_id": st.none() | st.just("e" * 36),
        "labels": MAP,
        "created_at": NEAR,
        "started_at": st.none() | NEAR,
        "finished_at": st.none() | NEAR,
        "updated_at": NEAR,
        "cancel_requested_at": st.none() | NEAR,
        "failure": st.none() | FAILURE,
        "log_state": st.sampled_from(list(LogState)),
        "log_reason": SOME,
        "log_bytes": st.integers(0, 2**62),
        "version": st.integers(1, 2**31 - 1),
        "k8s_ref_namespace": TEXT,
        "k8s_ref_name": SOME,
        "k8s_ref_uid": SOME,
        "origin": st.sampled_from(["api", "crd"]),
    }
)
HEARTBEATS = st.dictionaries(
    st.sampled_from(["c", 'of "ours"\\', "other"]),
    st.sampled_from([NOW, NOW - timedelta(seconds=15), NOW - timedelta(seconds=15.000001)]),
)


def stored(connection, columns, number=1) -> int:
    row: Any = runs.add(connection, run_row(number, **columns))
    return int(row["seq"])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(RUN, max_size=4), seen=HEARTBEATS)
def test_both_documents_of_any_run_are_equal(store, rows, seen):
    databases.clear(store)
    with store.writing() as connection:
        # A TestRun object has one run: uids must differ.
        uids = [
            None if row["k8s_ref_uid"] is None else f"{number} {row['k8s_ref_uid']}"
            for number, row in enumerate(rows)
        ]
        seqs = [
            stored(connection, row | {"k8s_ref_uid": uid}, number)
            for number, (row, uid) in enumerate(zip(rows, uids, strict=True), 1)
        ]
        for cluster, time in seen.items():
            runs.record_heartbeat(connection, cluster, time)
        heartbeats = runs.heartbeats(connection)
        of_rows = [serialize_run(row, heartbeats, NOW) for row in run_pages.rows(connection, seqs)]
        expected = msgspec.json.decode(msgspec.json.encode(of_rows))
        page = run_documents.newest(connection, run_pages.END, 10, NOW)
        of_numbers = run_documents.of_numbers(connection, seqs, NOW)
    assert msgspec.json.decode(page.text or "") == expected
    assert msgspec.json.decode(of_numbers or "") == expected
    assert len(msgspec.json.decode(page.text or "", type=list[Run])) == len(rows)


@pytest.mark.parametrize("columns", [{"template": {"spec": {}}}, {"git": {"url": "https://x"}}])
def test_a_page_with_a_template_or_a_repository_is_no_text(store, client, columns):
    with store.writing() as connection:
        seqs = [stored(connection, {}, 1), stored(connection, columns, 2)]
    with store.reading() as connection:
        assert run_documents.newest(connection, run_pages.END, 10, NOW).text is None
        assert run_documents.of_numbers(connection, seqs, NOW) is None
        assert run_documents.newest(connection, seqs[1], 10, NOW).text
    page = client.get("/api/test-runs").get_json()
    assert [run["id"] for run in page] == [run_row(2)["id"], run_row(1)["id"]]
    assert len(page[0]["containers"]) == (2 if "git" in columns else 1)


def test_a_page_knows_whether_there_are_more_runs(store):
    with store.writing() as connection:
        seqs = [stored(connection, {}, number) for number in range(1, 4)]
    with store.reading() as connection:
        first = run_documents.newest(connection, run_pages.END, 2, NOW)
        second = run_documents.newest(connection, seqs[1], 2, NOW)
        nothing = run_documents.newest(connection, seqs[0], 2, NOW)
    assert (first.oldest, first.more) == (seqs[1], True)
    assert (second.oldest, second.more) == (seqs[0], False)
    assert nothing == run_documents.Page("[]", None, more=False)
