"""Search of runs by parts of words, of any script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.api.store import run_search
from sparktest.api.store.run_search import failure_terms, run_terms, search_terms
from tests.api.requests import create, define, ids, register, report
from tests.api.store.rows import run_row


class TestTerms:
    def test_they_are_folded_words_of_limited_length(self):
        assert search_terms("Log-in_2", None, "x" * 100) == {"log", "in", "2", "x" * 64}

    def test_a_run_has_those_of_its_names_and_labels(self):
        run = run_row(1, name="Log in", definition_name="Smoke", labels={"team": "Web shop"})
        assert run_terms(run) == {"log", "in", "smoke", "tests", "team", "web", "shop"}

    def test_of_a_long_message_only_the_first_are_stored(self):
        message = " ".join(f"word{n}" for n in range(100))
        found = failure_terms({"class": "test", "reason": "Error", "message": message})
        assert found == {"error", *(f"word{n}" for n in range(run_search.MAX_FAILURE_TERMS))}

    @given(st.text())
    def test_no_term_has_a_character_with_a_meaning_in_sql(self, text):
        assert not any(set(term) & set("%_\\'") for term in search_terms(text))


class TestSearch:
    @pytest.mark.parametrize(
        ("name", "found", "not_found"),
        [
            ("Проверка корзины", ["проверка", "РОВЕР", "корз пров"], ["верга", "заказ"]),
            ("支付测试 登录", ["支付", "付测", "登录"], ["登出"]),
            ("Ünïcode-Straße", ["ünïcode", "STRASSE", "trass"], ["unicode"]),
            ("결제 테스트", ["결제", "스"], ["주문"]),
            ("𐐀𐐁 deseret", ["𐐨𐐩", "𐐩", "𐐀"], ["𐐪"]),
        ],
    )
    def test_words_of_any_script_are_found_by_their_parts(self, client, name, found, not_found):
        run = create(client, name=name)["id"]
        assert all(ids(client, f"q={q}") == [run] for q in found)
        assert not any(ids(client, f"q={q}") for q in not_found)

    @pytest.mark.parametrize("q", ["", "%20", "%25", "_", "!", "%2B", "login %25"])
    def test_a_text_without_a_word_finds_nothing(self, client, q):
        create(client)
        assert ids(client, f"q={q}") == []

    def test_all_that_names_a_run_is_searched(self, client):
        definition = define(client, name="Nightly checkout")
        run = create(client, name="blue", labels={"tier": "gold"}, definitionId=definition["id"])
        testrun = register(client)
        report(
            client,
            run["id"],
            "failed",
            failure={"class": "infra", "reason": "OOMKilled", "message": "used more than 2Gi"},
        )
        for q in ("blu", "heck", "gol", "tie", "oomk", "2Gi", "est", "night out", run["id"][:4]):
            assert run["id"] in ids(client, f"q={q}"), q
        assert ids(client, "q=hop") == [testrun["id"]]

    def test_an_id_is_found_by_its_beginning_of_four_characters(self, client):
        run = create(client)["id"]
        assert all(ids(client, f"q={run[:length].upper()}") == [run] for length in range(4, 37))
        assert ids(client, f"q={run[1:9]}") == []

    @pytest.mark.parametrize("limits", [(1, 500), (16, 2), (1, 1)])
    def test_a_part_of_many_words_finds_the_same_runs(self, client, monkeypatch, limits):
        monkeypatch.setattr(run_search, "MAX_WORD_BRANCHES", limits[0])
        monkeypatch.setattr(run_search, "MAX_WORDS", limits[1])
        made = [create(client, name=name)["id"] for name in ("login", "logout", "dialog", "other")]
        assert ids(client, "q=log") == made[2::-1]
        assert ids(client, "q=lo") == made[2::-1]
        assert ids(client, "q=cafe") == []
