"""ResourceClient: the calls for objects with a unique name, against a running API."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest import client_resources
from sparktest.client import ApiClient
from sparktest.domain import Executor
from sparktest.errors import ConflictError, NotFoundError, PreconditionError
from tests.live_api import TOKEN, live_api

BODY = {"name": "k6", "image": "grafana/k6", "env": {"A": "1"}}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ApiClient]:
    with live_api(tmp_path) as url, ApiClient(url, TOKEN) as client:
        yield client


def test_an_object_is_created_changed_and_deleted(client: ApiClient) -> None:
    made = client.executors.create(BODY)
    assert isinstance(made, Executor)
    assert client.executors.get(made.id) == made
    assert client.executors.patch(made.id, {"icon": "i"}).env == {"A": "1"}
    assert client.executors.replace(made.id, BODY, version=2).icon == ""

    client.executors.delete(made.id)

    with pytest.raises(NotFoundError):
        client.executors.get(made.id)


def test_a_stale_version_is_refused(client: ApiClient) -> None:
    made = client.executors.create(BODY)
    client.executors.patch(made.id, {"icon": "i"}, version=1)

    with pytest.raises(PreconditionError):
        client.executors.patch(made.id, {"icon": "j"}, version=1)
    with pytest.raises(PreconditionError):
        client.executors.replace(made.id, BODY, version=1)


def test_a_taken_name_is_a_conflict_that_names_the_field(client: ApiClient) -> None:
    client.executors.create(BODY)

    with pytest.raises(ConflictError) as refused:
        client.executors.create(BODY)

    assert refused.value.errors[0]["pointer"] == "/name"


def test_all_pages_are_read(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_resources, "PAGE_SIZE", 2)
    made = [client.executors.create(BODY | {"name": f"k{n}"}) for n in range(5)]

    assert list(client.executors.list()) == made[::-1]
    assert list(client.executors.list(q="K3")) == [made[3]]


def test_an_id_is_a_part_of_the_path_whatever_it_contains(client: ApiClient) -> None:
    assert client.executors.path_of("../a?b") == "/test-executors/..%2Fa%3Fb"


def test_a_suite_is_run_listed_and_cancelled(client: ApiClient) -> None:
    body = {"name": "d", "image": "i"}
    definition = client.definitions.create(body)
    suite = client.suites.create({"name": "s", "testDefinitionIds": [definition.id] * 2})

    started = client.run_suite(suite.id)

    assert started.message == "started the suite 's': 2 runs, one after the other"
    assert started.runs
    assert [run.suite_run_id for run in started.runs] == [started.id] * 2
    found = client.suite_runs.list_page(suite_id=[suite.id], status=["pending"], limit=1)
    assert [each.id for each in found.suite_runs] == [started.id]
    cancelled = client.suite_runs.cancel(started.id)
    assert cancelled.counts == {"pending": 1, "cancelled": 1}
    assert client.suite_runs.get(started.id) == cancelled


def test_a_batch_returns_a_result_for_each_item(client: ApiClient) -> None:
    good, bad = client.create_runs([{"name": "n", "image": "i"}, {"name": "n"}], repeat=2)

    assert good.run is not None
    assert [run.repeat_of for run in good.repeats] == [good.run.id]
    assert (bad.status, bad.run) == (422, None)
