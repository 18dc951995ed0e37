"""What all objects with a unique name have in common, tried with executors."""

import pytest

from tests.api.requests import answered, concurrently, pointers

PATH = "/api/test-executors"
BODY = {"name": "k6", "image": "grafana/k6"}


@pytest.fixture
def executor(client):
    return answered(client.post(PATH, json=BODY), 201)


@pytest.fixture
def url(executor) -> str:
    return f"{PATH}/{executor['id']}"


def test_a_new_object_has_a_location_and_an_etag(client):
    response = client.post(PATH, json=BODY)
    made = answered(response, 201)
    assert response.headers["Location"] == f"test-executors/{made['id']}"
    assert response.headers["ETag"] == '"1"'
    assert made["version"] == 1


def test_the_list_has_pages_and_finds_a_part_of_the_name(client):
    made = [
        answered(client.post(PATH, json=BODY | {"name": name}), 201)["id"]
        for name in ("a%b", "Long", "lOnger")
    ]
    first = client.get(f"{PATH}?limit=1&q=LONG")
    assert [one["id"] for one in answered(first, 200)] == made[2:]
    following = client.get(PATH + first.headers["Link"].partition(">")[0].lstrip("<"))
    assert [one["id"] for one in answered(following, 200)] == made[1:2]
    assert "Link" not in following.headers
    assert [one["id"] for one in answered(client.get(f"{PATH}?q=%25"), 200)] == made[:1]


def test_a_taken_name_is_answered_with_the_location_of_the_first(client, executor):
    response = client.post(PATH, json=BODY)
    assert pointers(response, 409) == {"/name"}
    assert response.get_json()["type"] == "urn:sparktest:problem:name-taken"
    assert response.headers["Location"] == f"test-executors/{executor['id']}"


@pytest.mark.parametrize("method", ["put", "patch"])
def test_no_object_takes_the_name_of_another(client, executor, method):
    other = answered(client.post(PATH, json=BODY | {"name": "other"}), 201)
    path = f"{PATH}/{other['id']}"
    response = getattr(client, method)(path, json=BODY)
    assert pointers(response, 409) == {"/name"}
    assert response.headers["Location"] == executor["id"]
    assert answered(client.get(path), 200) == other


def test_of_concurrent_creations_of_a_name_one_succeeds(app):
    calls = [lambda: app.test_client().post(PATH, json=BODY)] * 6
    responses = concurrently(calls)
    assert sorted(response.status_code for response in responses) == [201] + [409] * 5
    (made,) = answered(app.test_client().get(PATH), 200)
    locations = {response.headers["Location"] for response in responses}
    assert locations == {f"test-executors/{made['id']}"}


def test_of_concurrent_renames_to_a_name_one_succeeds(app):
    client = app.test_client()
    made = [answered(client.post(PATH, json=BODY | {"name": f"n{n}"}), 201)["id"] for n in range(6)]
    calls = [
        lambda key=key: app.test_client().patch(f"{PATH}/{key}", json={"name": "new"})
        for key in made
    ]
    statuses = sorted(response.status_code for response in concurrently(calls))
    assert statuses == [200] + [409] * 5


def test_a_patch_needs_a_body(client, url):
    answered(client.patch(url), 422)
    assert answered(client.patch(url, json={}), 200)["version"] == 2


def test_put_empties_what_the_body_lacks(client, url):
    answered(client.patch(url, json={"env": {"A": "1"}, "icon": "i"}), 200)
    replaced = answered(client.put(url, json=BODY), 200)
    assert (replaced["env"], replaced["icon"], replaced["version"]) == ({}, "", 3)


def test_a_stale_version_is_refused_and_a_known_one_is_not_sent_again(client, url):
    tag = client.get(url).headers["ETag"]
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
    changed = client.patch(url, json={"icon": "i"}, headers={"If-Match": tag})
    assert answered(changed, 200)["icon"] == "i"
    assert changed.headers["ETag"] == '"2"'
    stale = {"If-Match": tag}
    answered(client.patch(url, json={}, headers=stale), 412)
    answered(client.put(url, json=BODY, headers=stale), 412)
    answered(client.delete(url, headers=stale), 412)
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 200


def test_a_deleted_object_is_not_found_and_its_name_is_free(client, url):
    response = client.delete(url)
    assert (response.status_code, response.data) == (204, b"")
    for again in (client.get(url), client.patch(url, json={}), client.delete(url)):
        answered(again, 404)
    answered(client.post(PATH, json=BODY), 201)


def test_the_definition_of_each_operation_names_its_kind(client):
    paths = answered(client.get("/api/openapi.json"), 200)["paths"]
    summary = paths["/api/test-executors/{executor_id}"]["put"]["summary"]
    assert summary == "Replace an executor; what the body does not have becomes empty."
