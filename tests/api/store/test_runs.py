"""Runs in the store: uniqueness, and search by words of any script."""

from functools import partial

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from sparktest.api.store import runs
from sparktest.api.store.run_tables import RunRow
from tests.api.databases import statements
from tests.api.requests import adhoc, create, ids
from tests.api.store.batches import in_one_batch
from tests.api.store.rows import CREATED, run_row


def newest(connection):
    found = connection.execute(select(RunRow).order_by(RunRow.seq.desc()).limit(1))
    return found.mappings().one()


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


class TestAddLater:
    def test_the_runs_of_all_works_are_stored_in_one_statement(self, store):
        rows = [run_row(n, labels={"team": "shop"}, name=f"login {n}") for n in range(3)]
        with statements(store) as sent:
            in_one_batch(store, [partial(runs.add_later, run=row) for row in rows])
        for table in ("test_runs", "test_run_labels", "test_run_words", "test_run_changes"):
            assert len([one for one in sent if one.startswith(f"INSERT INTO {table} ")]) == 1

    def test_the_row_is_the_one_that_is_stored(self, store):
        returned = store.write(partial(runs.add_later, run=run_row(1, labels={"team": "shop"})))
        with store.reading() as connection:
            found = runs.find_as_text(connection, returned["id"])
            assert found
            assert {**found} == {**returned, "seq": found["seq"]}

    def test_a_number_is_never_used_twice(self, store):
        seqs = []
        for number in range(4):
            add = runs.add if number == 2 else runs.add_later
            store.write(partial(add, run=run_row(number)))
            with store.reading() as connection:
                seqs.append(newest(connection)["seq"])
            store.write(lambda connection: runs.remove(connection, newest(connection), CREATED))
        assert seqs == sorted(set(seqs))

    def test_runs_get_numbers_in_the_order_of_their_works(self, store):
        in_one_batch(store, [partial(runs.add_later, run=run_row(n)) for n in range(5)])
        with store.reading() as connection:
            found = connection.execute(select(RunRow.id).order_by(RunRow.seq)).scalars().all()
        assert found == [run_row(n)["id"] for n in range(5)]

    def test_a_run_that_cannot_be_stored_fails_alone(self, store):
        answers = in_one_batch(store, [partial(runs.add_later, run=run_row(n)) for n in (1, 1, 2)])
        assert [isinstance(answer, IntegrityError) for answer in answers] == [False, True, False]
        with store.reading() as connection:
            assert count(connection) == 2
