"""Runs in the store: uniqueness, and search by words of any script."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from sparktest.api.store import runs
from sparktest.api.store.run_tables import RunRow
from tests.api.requests import adhoc, create, ids
from tests.api.store.rows import run_row


def count(connection) -> int:
    return int(connection.execute(select(func.count()).select_from(RunRow)).scalar_one())


class TestAdd:
    def test_a_violated_constraint_of_an_api_run_is_an_error(self, store):
        with store.writing() as connection:
            assert runs.add(connection, run_row(1))
        with pytest.raises(IntegrityError), store.writing() as connection:
            runs.add(connection, run_row(1))

    def test_a_violated_constraint_of_a_testruns_run_is_an_error_too(self, store):
        with pytest.raises(IntegrityError), store.writing() as connection:
            runs.add(connection, run_row(1, cluster="c", k8s_ref_uid="u", origin="other"))

    def test_a_second_run_of_a_testrun_is_not_added(self, store):
        with store.writing() as connection:
            assert runs.add(connection, run_row(1, cluster="c", k8s_ref_uid="u"))
            assert not runs.add(connection, run_row(2, cluster="c", k8s_ref_uid="u"))
            assert count(connection) == 1

    def test_a_request_whose_run_cannot_be_stored_does_not_succeed(self, client, monkeypatch):
        run = create(client)
        monkeypatch.setattr("uuid.uuid4", lambda: run["id"])
        assert client.post("/api/test-runs", json=adhoc()).status_code == 500
        assert ids(client) == [run["id"]]
