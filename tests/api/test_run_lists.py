"""Routes of lists of runs: pages, filters, cursors."""

import pytest

from sparktest.api.store import runs as store
from tests.api.requests import CLUSTER, answered, create, define, ids, pointers, register, report


class TestList:
    def test_the_newest_is_first(self, client):
        made = [create(client, name=str(n))["id"] for n in range(3)]
        assert ids(client) == made[::-1]

    def test_pages_are_linked(self, client):
        made = [create(client)["id"] for _ in range(5)]
        seen, link = [], "<?limit=2&status=pending>"
        while link:
            response = client.get("/api/test-runs" + link.partition(">")[0].lstrip("<"))
            seen += [run["id"] for run in answered(response, 200)]
            link = response.headers.get("Link", "")
            assert link in ("", link.partition(">")[0] + '>; rel="next"')
        assert seen == made[::-1]

    def test_filters_find_what_they_name(self, client, clock):
        first = create(client, name="Login über web", labels={"team": "shop", "tier": "1"})
        clock.advance(60)
        second = register(client, labels={"team": "bank"})
        report(client, second["id"], "running", jobUid="j")
        third = create(client, name="other", labels={"team": "shop"})
        a, b, c = first["id"], second["id"], third["id"]
        for query, found in {
            "status=running": [b],
            "status=running&status=pending": [c, b, a],
            "status=cancelled": [],
            "origin=crd": [b],
            "origin=api&status=pending": [c, a],
            "namespace=shop": [b],
            "namespace=shop&namespace=tests": [c, b, a],
            f"cluster={CLUSTER}": [b],
            "label=team=shop": [c, a],
            "label=team": [c, b, a],
            "label=team=shop&label=tier=1": [a],
            "label=team=": [],
            "label=team in (shop, bank),tier": [a],
            "label=team!=shop": [b],
            "label=!tier": [c, b],
            "label=team=shop,!tier": [c],
            "class=test": [],
            "until=2026-05-01T12:01:00Z": [a],
            "until=2026-05-01T12:01:00Z&since=2026-05-01T12:01:00Z": [],
            "until=9999-12-31T23:59:59Z": [c, b, a],
            "until=0001-01-01T00:00:00Z": [],
            "suiteRunId=00000000-0000-4000-8000-000000000000": [],
            "q=log": [b, a],
            "q=ÜBER LOG": [a],
            "q=ogin": [b, a],
            f"q={a}": [a],
            f"q={a[:20]}": [a],
            f"q={b[:6].upper()}": [b],
            "q=%20": [],
            "since=2026-05-01T12:00:30Z": [c, b],
            "since=2026-05-01T14:00:30%2B02:00": [c, b],
            "since=2027-01-01T00:00:00Z": [],
            "since=0001-01-01T00:00:00Z": [c, b, a],
            "since=9999-12-31T23:59:59Z": [],
            "updatedSince=2026-05-01T12:00:30Z": [c, b],
        }.items():
            assert ids(client, query) == found, query

    def test_a_filter_by_definition_finds_its_runs(self, client):
        definition = define(client)
        create(client)
        run = answered(client.post(f"/api/test-definitions/{definition['id']}/run"), 201)
        assert ids(client, f"definitionId={definition['id'].upper()}") == [run["id"]]

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("colour=red", "/colour"),
            ("status=done", "/status/0"),
            ("status=pending&status=done", "/status/1"),
            ("limit=0", "/limit"),
            ("limit=1001", "/limit"),
            ("limit=" + "9" * 5000, "/limit"),
            ("since=yesterday", "/since"),
            ("since=2026-05-01T12:00:00", "/since"),
            ("since=0001-01-01T00:00:00%2B14:00", "/since"),
            ("definitionId=1", "/definitionId/0"),
            ("class=odd", "/class/0"),
            ("label=", "/label/0"),
            ("label=a&label=a%20in%20b", "/label/1"),
            ("limit=1.5", "/limit"),
            ("&".join(["namespace=a"] * 33), "/namespace"),
            ("q=%00", "/q"),
        ],
    )
    def test_an_invalid_filter_is_named(self, client, query, pointer):
        assert pointers(client.get(f"/api/test-runs?{query}")) == {pointer}

    @pytest.mark.parametrize("cursor", ["", "x", "AQ", "ÿ", "AQAAAAAAAAAA", "A" * 5000])
    def test_an_invalid_cursor_is_refused(self, client, cursor):
        assert pointers(client.get(f"/api/test-runs?cursor={cursor}"), 400) == {"/cursor"}


def test_a_controller_does_not_see_runs_that_wait_for_others_of_their_suite(client, ctx):
    free, blocked = create(client)["id"], create(client)["id"]
    with ctx.store.writing() as connection:
        run = store.find(connection, blocked)
        assert run
        store.change(connection, run, {"blocked": True}, ctx.clock())
    controller = {"SparkTest-Controller": "c"}
    for query in ("", "?status=pending&status=running", "?updatedSince=2026-01-01T00:00:00Z"):
        seen = answered(client.get(f"/api/test-runs{query}", headers=controller), 200)
        assert [run["id"] for run in seen] == [free], query
        assert len(answered(client.get(f"/api/test-runs{query}"), 200)) == 2
