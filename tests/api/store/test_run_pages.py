"""Pages of runs: every run is listed once, in few statements."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.databases import statements
from tests.api.requests import answered, create, define, ids

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "expected"), [("/api/test-runs", 1), ("/api/test-definitions", 1)]
)
def test_the_number_of_statements_does_not_depend_on_the_length_of_a_list(
    client, store, path, expected
):
    for rows in (0, 3, 12):
        for number in range(rows):
            create(client, labels={"a": "b"})
            define(client, name=f"{rows}-{number}")
        with statements(store) as sent:
            answered(client.get(f"{path}?limit=10"), 200)
        assert len(sent) == expected, sent


def test_one_run_takes_few_statements(client, store):
    run = create(client)
    with statements(store) as sent:
        answered(client.get(f"/api/test-runs/{run['id']}"), 200)
    assert len(sent) == 2


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=st.integers(0, 9),
    limit=st.integers(1, 4),
    between=st.lists(st.integers(0, 2), max_size=5),
)
def test_every_run_is_seen_once_while_others_are_added(client, before, limit, between):
    label = f"round={len(ids(client, 'limit=1000'))}"
    labels = dict([label.split("=")])
    expected = [create(client, labels=labels)["id"] for _ in range(before)]
    seen: list[str] = []
    link = f"<?limit={limit}&label={label}>"
    while link:
        response = client.get("/api/test-runs" + link.partition(">")[0].lstrip("<"))
        page = [run["id"] for run in answered(response, 200)]
        assert len(page) <= limit
        seen += page
        for _ in range(between.pop() if between else 0):
            create(client, labels=labels)
        link = response.headers.get("Link", "")
    assert seen == expected[::-1]


def test_since_finds_runs_after_the_clock_was_set_back(client, clock):
    early = create(client)["id"]
    clock.advance(600)
    late = create(client)["id"]
    clock.advance(-300)
    between = create(client)["id"]
    since = (NOW + timedelta(seconds=200)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert ids(client, f"since={since}") == [between, late]
    assert ids(client, "since=2026-05-01T12:00:00Z") == [between, late, early]
