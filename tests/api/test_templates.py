"""Templates in runs, definitions and registrations."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparktest.domain import Run
from tests.api.requests import adhoc, answered, define, get, ids, of_testrun, pointers, register
from tests.api.test_definitions import url

TEST = {"name": "test", "image": "pytest:1", "command": ["pytest"], "args": ["-q"]}


def template(*containers, **spec):
    return {"spec": {"containers": list(containers), **spec}}


def body(**fields):
    return adhoc(**{"image": None, "commands": None, **fields})


NAMES = st.sampled_from(
    [
        "metadata",
        "spec",
        "labels",
        "annotations",
        "containers",
        "initContainers",
        "volumes",
        "name",
        "image",
        "command",
        "args",
        "env",
        "$patch",
        "test",
        "~",
        "/",
        "_schema",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["test"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
ODD = st.fixed_dictionaries(
    {},
    optional={
        "metadata": JSON,
        "spec": JSON | st.fixed_dictionaries({"containers": st.lists(JSON, max_size=2)}),
    },
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=ODD, second=JSON)
def test_whatever_a_template_holds_the_answer_is_a_run_or_names_the_field(client, first, second):
    response = client.post("/api/test-runs", json=adhoc(template=first))
    if response.status_code == 201:
        assert msgspec.convert(response.get_json(), Run).containers
        again = {"template": second, "image": "i"}
        url = f"/api/test-runs/{response.get_json()['id']}/rerun"
        response = client.post(url, json=again)
    if response.status_code == 201:
        assert msgspec.convert(response.get_json(), Run).containers
    else:
        assert all(at.startswith(("/template", "/image")) for at in pointers(response))


class TestRules:
    def test_every_error_has_the_pointer_of_its_place_in_the_template(self, client):
        wrong = {
            "metadata": {"name": "a"},
            "spec": {"nodeName": None, "containers": [{"name": "a", "$patch": "delete"}]},
            "_schema": 1,
        }
        for path in ("/api/test-runs", "/api/test-definitions"):
            assert pointers(client.post(path, json=adhoc(template=wrong, timeoutSeconds=0))) == {
                "/timeoutSeconds",
                "/template/metadata/name",
                "/template/spec/nodeName",
                "/template/spec/containers/0/$patch",
                "/template/_schema",
            }

    @pytest.mark.parametrize("value", [5, "x", [], [{}]])
    def test_a_template_is_an_object(self, client, value):
        assert pointers(client.post("/api/test-runs", json=adhoc(template=value))) == {"/template"}

    def test_a_template_has_a_maximum_size(self, client):
        annotations = {f"a{n}": "x" * 1000 for n in range(300)}
        big = {"metadata": {"annotations": annotations}}
        response = client.post("/api/test-runs", json=adhoc(template=big))
        assert pointers(response) == {"/template"}
        assert "262,144" in response.get_json()["detail"]

    def test_what_is_nested_too_deeply_is_named(self, client):
        deep: dict = {}
        for _ in range(40):
            deep = {"a": deep}
        response = client.post("/api/test-runs", json=adhoc(template=deep))
        assert pointers(response, response.status_code) == {"/template"}
        assert response.status_code in (400, 422)

    def test_what_a_cluster_wrote_into_a_template_is_ignored(self, client):
        pasted = {"metadata": {"creationTimestamp": None, "labels": {"job-name": "x"}}}
        run = answered(client.post("/api/test-runs", json=adhoc(template=pasted)), 201)
        assert run["template"] == {}


class TestImage:
    def test_the_image_of_a_run_is_that_of_its_test_container(self, client):
        containers = ({"name": "db", "image": "pg"}, TEST)
        run = answered(
            client.post("/api/test-runs", json=body(template=template(*containers))), 201
        )
        assert (run["image"], run["containers"]) == ("pytest:1", ["test", "db"])
        testrun = register(client, image=None, template=template(*containers))
        assert (testrun["image"], testrun["status"]) == ("pytest:1", "pending")

    def test_an_image_given_twice_is_refused(self, client):
        twice = {"image": "busybox", "template": template(TEST)}
        assert pointers(client.post("/api/test-runs", json=body(**twice))) == {"/image"}
        assert pointers(client.post("/api/test-definitions", json=body(**twice))) == {"/image"}
        run = register(client, **twice)
        assert (run["status"], run["failure"]["reason"]) == ("failed", "Invalid")
        assert "only once" in run["failure"]["message"]

    def test_a_template_whose_test_container_is_unknown_is_refused(self, client):
        two = {"template": template({"name": "a", "image": "x"}, {"name": "b", "image": "y"})}
        assert pointers(client.post("/api/test-runs", json=body(**two))) == {"/template"}
        assert pointers(client.post("/api/test-definitions", json=body(**two))) == {"/template"}
        assert register(client, image=None, **two)["failure"]["reason"] == "Invalid"

    def test_an_image_is_needed_somewhere(self, client):
        none = {"template": template({"name": "test"})}
        assert pointers(client.post("/api/test-runs", json=body(**none))) == {"/image"}
        assert pointers(client.post("/api/test-definitions", json=body(**none))) == {"/image"}
        assert register(client, image=None, **none)["failure"]["reason"] == "ImageMissing"


class TestCommand:
    @pytest.mark.parametrize(
        ("fields", "shown"),
        [
            ({}, ["pytest", "-q"]),
            ({"args": ["-x"]}, ["pytest", "-x"]),
            ({"command": ["make"]}, ["make"]),
            ({"commands": ["make test"]}, ["make test"]),
        ],
    )
    def test_the_command_is_shown_from_the_template_where_no_field_replaces_it(
        self, client, fields, shown
    ):
        run = answered(
            client.post("/api/test-runs", json=body(template=template(TEST), **fields)), 201
        )
        assert run["command"] == shown

    def test_a_command_that_is_no_list_of_texts_is_not_shown(self, client):
        odd = template({"name": "test", "image": "i", "command": "sh", "args": [1, "a"]})
        run = answered(client.post("/api/test-runs", json=body(template=odd)), 201)
        assert run["command"] == ["a"]


class TestDefinition:
    def test_a_definition_with_a_template_can_be_read_and_sent_back(self, client):
        definition = define(client, image=None, commands=None, template=template(TEST))
        assert definition["template"] == template(TEST)
        response = client.put(url(definition), json=definition)
        assert answered(response, 200) == definition | {"version": 2}
        assert "Warning" not in response.headers

    def test_a_merge_patch_replaces_and_removes_parts_of_a_template(self, client):
        before = template(TEST, nodeName="a", hostname="h")
        definition = define(client, image=None, commands=None, template=before)
        patch = {"template": {"spec": {"nodeName": None, "hostname": "i"}}}
        patched = answered(client.patch(url(definition), json=patch), 200)
        assert patched["template"] == template(TEST, hostname="i")
        assert pointers(client.patch(url(definition), json={"template": None})) == {"/image"}
        only_image = {"template": None, "image": "busybox"}
        assert answered(client.patch(url(definition), json=only_image), 200)["template"] == {}

    def test_the_result_of_a_patch_is_checked(self, client):
        definition = define(client)
        added = {"template": {"spec": {"containers": [None]}}}
        assert "/template/spec/containers/0" in pointers(client.patch(url(definition), json=added))
        assert pointers(client.patch(url(definition), json={"template": template(TEST)})) == {
            "/image"
        }

    def test_a_run_keeps_the_merged_template_of_its_start(self, client):
        definition = define(client, image=None, template=template(TEST, nodeName="a"))
        overrides = {"template": {"spec": {"hostname": "h"}}}
        run = answered(client.post(f"{url(definition)}/run", json=overrides), 201)
        client.patch(url(definition), json={"template": {"spec": {"nodeName": "b"}}})
        client.delete(url(definition))
        assert get(client, run["id"])["template"] == template(TEST, nodeName="a", hostname="h")


def test_a_wrong_template_in_a_testrun_is_refused_with_the_field(client):
    wrong = of_testrun(template={"spec": {"nodeName": None}})
    assert pointers(client.post("/api/test-runs", json=wrong)) == {"/template/spec/nodeName"}
    assert ids(client) == []
