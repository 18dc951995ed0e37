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


class TestSearch:
    @pytest.mark.parametrize(
        ("name", "found", "not_found"),
        [
            ("Проверка корзины", ["проверка", "ПРОВ", "корз пров"], ["роверка", "заказ"]),
            ("支付测试 登录", ["支付", "支付测试", "登录"], ["登出"]),
            ("Ünïcode-Straße", ["ünïcode", "STRASSE", "strasse"], ["unicode"]),
            ("결제 테스트", ["결제", "테"], ["주문"]),
            ("𐐀𐐁 deseret", ["𐐨𐐩", "𐐀"], ["𐐩"]),
        ],
    )
    def test_words_of_any_script_are_found_by_their_beginning(self, client, name, found, not_found):
        run = create(client, name=name)["id"]
        assert all(ids(client, f"q={q}") == [run] for q in found)
        assert not any(ids(client, f"q={q}") for q in not_found)

    @pytest.mark.parametrize("q", ["%25", "_", "!", "%2B", "login %25"])
    def test_punctuation_finds_nothing(self, client, q):
        create(client)
        assert ids(client, f"q={q}") == []


def test_search_terms_are_folded_words_of_limited_length():
    assert runs.search_terms("Log-in_2", None, "x" * 100) == {"log", "in", "2", "x" * 64}
