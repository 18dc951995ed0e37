"""Statements of requests that write: few, and none that reads back what was just written."""

import pytest

from tests.api.databases import statements
from tests.api.requests import CLUSTER, adhoc, answered, create, define, get, of_testrun

LABELS = {"team": "shop"}


def run_path(client, route=""):
    return f"/api/test-runs/{create(client, labels=LABELS)['id']}{route}"


# Their rows are stored at the end of a transaction, in one statement for all its works.
DEFERRED = ("audit", "test_run_words", "test_run_word_parts", "test_run_changes")
# The numbers of new runs are taken with them.
NUMBERS = ("sqlite_sequence",)
# For each route: its request, its status, and how many statements of its own it may send. Beside
# those that write there are: BEGIN on SQLite, the row that is locked, the heartbeats.
WRITES = {
    "create": (lambda client: ("POST", "/api/test-runs", adhoc(labels=LABELS)), 201, 4),
    "register": (lambda client: ("POST", "/api/test-runs", of_testrun(labels=LABELS)), 201, 6),
    "rerun": (lambda client: ("POST", run_path(client, "/rerun"), {}), 201, 6),
    "run a definition": (
        lambda client: ("POST", f"/api/test-definitions/{define(client)['id']}/run", {}),
        201,
        4,
    ),
    "cancel": (lambda client: ("POST", run_path(client, "/cancel"), None), 202, 4),
    "claim": (lambda client: ("PUT", run_path(client, "/claim"), {"cluster": CLUSTER}), 200, 4),
    "report": (
        lambda client: ("PUT", run_path(client, "/report"), {"status": "running", "jobUid": "u"}),
        200,
        4,
    ),
}


@pytest.mark.parametrize(("prepare", "status", "most"), WRITES.values(), ids=WRITES)
def test_a_write_sends_few_statements_and_reads_nothing_back(client, store, prepare, status, most):
    method, path, body = prepare(client)
    with statements(store) as sent:
        document = answered(client.open(path, method=method, json=body), status)
    shared = [*(f" {table} " for table in DEFERRED), *NUMBERS]
    sent = [one for one in sent if not any(each in one for each in shared)]
    assert len(sent) <= most, sent
    written = [
        number
        for number, statement in enumerate(sent)
        if statement.startswith(("INSERT INTO test_runs", "UPDATE test_runs"))
    ]
    assert len(written) == 1
    later = [statement for statement in sent[written[0] :] if statement.startswith("SELECT")]
    assert [statement for statement in later if "FROM controllers" not in statement] == []
    assert document == get(client, document["id"])
