"""Batches: several runs in one transaction, each checked by itself."""

from uuid import uuid4

import msgspec
import pytest

from sparktest.domain_batches import MAX_RUN_IDS, BatchResult
from tests.api.requests import adhoc, answered, create, define, ids, pointers

PATH = "/api/test-runs:batch"
MISSING = "/api/test-runs:missing"


def test_every_item_has_a_result_and_an_invalid_one_is_refused_alone(client):
    definition = define(client)["id"]
    items = [
        adhoc(name="a"),
        {"name": "b"},
        {"definitionId": definition},
        {"definitionName": "missing"},
        adhoc(origin="crd", k8sRef={"namespace": "n", "name": "x"}),
    ]
    results = answered(client.post(PATH, json={"items": items}), 200)
    assert [each["status"] for each in results] == [201, 422, 201, 422, 422]
    problems = [each["problem"]["errors"][0]["pointer"] for each in results if "problem" in each]
    assert problems == ["/image", "/definitionName", "/origin"]
    made = [each["run"]["id"] for each in results if "run" in each]
    assert ids(client) == made[::-1]
    assert results[2]["run"]["testDefinitionId"] == definition
    assert [each.status for each in msgspec.convert(results, list[BatchResult])][:2] == [201, 422]


def test_an_item_is_repeated_and_its_repeats_refer_to_the_first(client):
    items = [adhoc(name="three"), adhoc(name="once", repeat=1)]
    three, once = answered(client.post(PATH, json={"items": items, "repeat": 3}), 200)
    assert [run["repeatOf"] for run in three["repeats"]] == [three["run"]["id"]] * 2
    assert {run["name"] for run in three["repeats"]} == {"three"}
    assert "repeatOf" not in three["run"]
    assert "repeats" not in once
    assert len(ids(client)) == 4


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, {"/items"}),
        ({"items": []}, {"/items"}),
        ({"items": [5]}, {"/items/0"}),
        ({"items": [adhoc()], "repeat": 0}, {"/repeat"}),
        ({"items": [adhoc()] * 2, "repeat": 251}, {"/items"}),
        ({"items": [adhoc(repeat=500), adhoc()]}, {"/items"}),
    ],
)
def test_a_batch_of_another_shape_or_size_is_refused_whole(client, body, named):
    assert pointers(client.post(PATH, json=body)) == named
    assert ids(client) == []


@pytest.mark.usefixtures("not_admin")
def test_privileged_fields_are_refused_for_their_item(client):
    items = [adhoc(serviceAccountName="robot"), adhoc()]
    results = answered(client.post(PATH, json={"items": items}), 200)
    assert [each["status"] for each in results] == [403, 201]


def test_unknown_fields_of_all_items_are_named_in_a_warning(client):
    body = {"items": [adhoc(), adhoc(colour=1)], "size": 2}
    warning = client.post(PATH, json=body).headers["Warning"]
    assert "/size" in warning
    assert "/items/1/colour" in warning


def test_many_runs_are_created_at_once(client):
    results = answered(client.post(PATH, json={"items": [adhoc()], "repeat": 50}), 200)
    repeats = [run["id"] for run in results[0]["repeats"]]
    assert ids(client) == [*repeats[::-1], results[0]["run"]["id"]]


def test_the_runs_that_do_not_exist_are_named_in_the_order_of_the_question(client):
    kept, deleted = (create(client)["id"] for _ in range(2))
    answered(client.delete(f"/api/test-runs/{deleted}"), 204)
    never = str(uuid4())
    asked = {"ids": [never, kept, deleted]}
    assert answered(client.post(MISSING, json=asked), 200) == {"ids": [never, deleted]}


@pytest.mark.parametrize("given", [[], ["run-1"], [str(uuid4())] * (MAX_RUN_IDS + 1), "x"])
def test_a_question_for_no_ids_too_many_or_none_that_are_ids_is_refused(client, given):
    answered(client.post(MISSING, json={"ids": given}), 422)
