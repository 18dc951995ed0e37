"""Suites: ordered sets of definitions."""

import msgspec
import pytest

from sparktest.domain_suites import Suite
from tests.api.requests import answered, define, pointers

PATH = "/api/test-suites"
UNKNOWN = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def definitions(client) -> list[str]:
    return [define(client, name=f"d{n}")["id"] for n in range(3)]


def create(client, **fields):
    return answered(client.post(PATH, json={"name": "nightly", **fields}), 201)


def test_every_given_field_is_returned(client, definitions):
    full = {
        "name": "nightly",
        "description": "all of it",
        "executionMode": "parallel",
        "stopOnFailure": True,
        "labels": ["slow"],
        "testDefinitionIds": [definitions[2], definitions[0], definitions[2]],
    }
    suite = create(client, **full)
    assert {key: suite[key] for key in full} == full
    assert answered(client.get(f"{PATH}/{suite['id']}"), 200) == suite
    assert answered(client.get(PATH), 200) == [suite]
    assert msgspec.convert(suite, Suite).stop_on_failure is True


def test_a_suite_without_fields_is_sequential_and_empty(client):
    suite = create(client)
    assert (suite["executionMode"], suite["stopOnFailure"]) == ("sequential", False)
    assert (suite["testDefinitionIds"], suite["labels"]) == ([], [])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, {"/name"}),
        ({"executionMode": "random"}, {"/executionMode"}),
        ({"stopOnFailure": "yes"}, {"/stopOnFailure"}),
        ({"stopOnFailure": 0}, {"/stopOnFailure"}),
        ({"stopOnFailure": 1.0}, {"/stopOnFailure"}),
        ({"testDefinitionIds": ["x"]}, {"/testDefinitionIds/0"}),
        ({"testDefinitionIds": [UNKNOWN] * 2}, {"/testDefinitionIds/0", "/testDefinitionIds/1"}),
        ({"testDefinitionIds": [UNKNOWN] * 501}, {"/testDefinitionIds"}),
    ],
)
def test_every_invalid_field_is_named(client, fields, named):
    assert pointers(client.post(PATH, json={"name": "nightly", **fields})) == named
    assert answered(client.get(PATH), 200) == []


def test_an_id_is_found_in_upper_case_too(client, definitions):
    suite = create(client, testDefinitionIds=[definitions[0].upper()])
    assert suite["testDefinitionIds"] == definitions[:1]


def test_a_patch_changes_only_what_it_names(client, definitions):
    suite = create(client, testDefinitionIds=definitions, stopOnFailure=True)
    url = f"{PATH}/{suite['id']}"
    patched = answered(client.patch(url, json={"executionMode": "parallel"}), 200)
    assert patched == suite | {"executionMode": "parallel", "version": 2}
    patched = answered(client.patch(url, json={"testDefinitionIds": definitions[:1]}), 200)
    assert patched["testDefinitionIds"] == definitions[:1]
    assert pointers(client.patch(url, json={"testDefinitionIds": [UNKNOWN]})) == {
        "/testDefinitionIds/0"
    }
    replaced = answered(client.put(url, json={"name": "nightly"}), 200)
    assert (replaced["testDefinitionIds"], replaced["stopOnFailure"]) == ([], False)


def test_a_suite_can_be_put_back_unchanged_without_a_warning(client, definitions):
    suite = create(client, testDefinitionIds=definitions)
    response = client.put(f"{PATH}/{suite['id']}", json=suite)
    assert answered(response, 200) == suite | {"version": 2}
    assert "Warning" not in response.headers


def test_a_deleted_definition_leaves_its_suites_with_a_new_version(client, definitions):
    suite = create(client, testDefinitionIds=[*definitions, definitions[0]])
    other = create(client, name="other", testDefinitionIds=definitions[1:])
    assert client.delete(f"/api/test-definitions/{definitions[0]}").status_code == 204
    response = client.get(f"{PATH}/{suite['id']}", headers={"If-None-Match": '"1"'})
    assert answered(response, 200)["testDefinitionIds"] == definitions[1:]
    assert answered(client.get(f"{PATH}/{other['id']}"), 200) == other
