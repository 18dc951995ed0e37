"""Objects from documents: created and updated by name, all of them or none."""

import pytest

from tests.api.requests import answered, define, pointers

EXECUTOR = {"kind": "Executor", "name": "k6", "image": "grafana/k6", "defaultCommand": "k6 run"}
DEFINITION = {"kind": "Definition", "name": "load", "executor": "k6", "env": {"VUS": "5"}}
SCHEDULE = {"kind": "Schedule", "name": "nightly", "definition": "load", "cron": "0 2 * * *"}


def apply(client, *documents, status=200, **fields):
    response = client.post("/api/apply", json={"documents": documents, **fields})
    return answered(response, status)


def actions(result):
    return [(each["kind"], each["name"], each["action"]) for each in result["applied"]]


def names(client, path):
    return {one["name"] for one in answered(client.get(f"/api/{path}"), 200)}


def nothing_stored(client):
    lists = ("test-executors", "test-definitions", "schedules")
    return [names(client, path) for path in lists] == [set(), set(), set()]


class TestApply:
    def test_objects_are_created_with_references_by_name_in_any_order(self, client):
        result = apply(client, SCHEDULE, DEFINITION, EXECUTOR)
        assert actions(result) == [
            ("Schedule", "nightly", "created"),
            ("Definition", "load", "created"),
            ("Executor", "k6", "created"),
        ]
        schedule, definition, executor = result["applied"]
        stored = answered(client.get(f"/api/test-definitions/{definition['id']}"), 200)
        assert stored["executorId"] == executor["id"]
        stored = answered(client.get(f"/api/schedules/{schedule['id']}"), 200)
        assert stored["definitionId"] == definition["id"]
        assert stored["nextRunAt"] == "2026-05-02T02:00:00Z"
        assert schedule["before"] is None
        assert executor["after"] == EXECUTOR
        assert definition["after"] == DEFINITION

    def test_what_is_the_same_is_not_changed(self, client):
        first = apply(client, EXECUTOR, DEFINITION, SCHEDULE)
        again = apply(client, EXECUTOR, DEFINITION, SCHEDULE)
        assert {action for *_, action in actions(again)} == {"unchanged"}
        assert [each["id"] for each in again["applied"]] == [
            each["id"] for each in first["applied"]
        ]
        path = f"/api/test-definitions/{first['applied'][1]['id']}"
        assert answered(client.get(path), 200)["version"] == 1

    def test_a_changed_object_gets_another_version_and_loses_what_is_left_out(self, client):
        apply(client, EXECUTOR, DEFINITION)
        changed = {"kind": "Definition", "name": "load", "image": "busybox"}
        (applied,) = apply(client, changed)["applied"]
        assert applied["action"] == "changed"
        assert applied["before"] == DEFINITION
        assert applied["after"] == changed
        stored = answered(client.get(f"/api/test-definitions/{applied['id']}"), 200)
        assert (stored["env"], stored["executorId"], stored["version"]) == ({}, None, 2)

    def test_what_was_applied_can_be_applied_again(self, client):
        result = apply(client, EXECUTOR, DEFINITION, SCHEDULE)
        documents = [each["after"] for each in result["applied"]]
        assert {action for *_, action in actions(apply(client, *documents))} == {"unchanged"}

    def test_what_the_api_answers_can_be_applied(self, client):
        read = define(client)
        (applied,) = apply(client, {"kind": "Definition", **read})["applied"]
        assert (applied["id"], applied["action"]) == (read["id"], "unchanged")

    def test_a_new_schedule_wakes_the_scheduler(self, client, ctx):
        ctx.schedules_changed.clear()
        apply(client, EXECUTOR, DEFINITION, SCHEDULE, dryRun=True)
        assert not ctx.schedules_changed.is_set()
        apply(client, EXECUTOR, DEFINITION, SCHEDULE)
        assert ctx.schedules_changed.is_set()


class TestSuites:
    def test_definitions_are_named_in_order_and_may_occur_twice(self, client):
        suite = {"kind": "Suite", "name": "all", "definitions": ["load", "smoke", "load"]}
        smoke = {"kind": "Definition", "name": "smoke", "image": "busybox"}
        schedule = {"kind": "Schedule", "name": "nightly", "suite": "all", "cron": "@daily"}
        result = apply(client, schedule, suite, smoke, DEFINITION, EXECUTOR)
        ids = {each["name"]: each["id"] for each in result["applied"]}
        stored = answered(client.get(f"/api/test-suites/{ids['all']}"), 200)
        assert stored["testDefinitionIds"] == [ids["load"], ids["smoke"], ids["load"]]
        stored = answered(client.get(f"/api/schedules/{ids['nightly']}"), 200)
        assert stored["suiteId"] == ids["all"]
        again = apply(client, suite, schedule)
        assert {action for *_, action in actions(again)} == {"unchanged"}
        (changed,) = apply(client, {**suite, "definitions": ["smoke"]})["applied"]
        assert changed["before"]["definitions"] == ["load", "smoke", "load"]
        assert changed["after"]["definitions"] == ["smoke"]

    def test_an_unknown_definition_is_named_by_its_position(self, client):
        smoke = {"kind": "Definition", "name": "smoke", "image": "busybox"}
        suite = {"kind": "Suite", "name": "all", "definitions": ["smoke", "none", 5]}
        body = {"documents": [smoke, suite]}
        assert pointers(client.post("/api/apply", json=body)) == {
            "/documents/1/definitions/1",
            "/documents/1/definitions/2",
        }


class TestDryRun:
    def test_it_answers_what_would_be_done_and_stores_nothing(self, client):
        result = apply(client, SCHEDULE, EXECUTOR, DEFINITION, dryRun=True)
        assert result["dryRun"] is True
        assert {action for *_, action in actions(result)} == {"created"}
        assert [each["id"] for each in result["applied"]] == [None, None, None]
        assert nothing_stored(client)

    def test_a_change_is_shown_and_not_stored(self, client):
        define(client, name="smoke", description="old")
        changed = {"kind": "Definition", "name": "smoke", "image": "alpine"}
        (applied,) = apply(client, changed, dryRun=True)["applied"]
        assert applied["action"] == "changed"
        assert applied["before"]["description"] == "old"
        (stored,) = answered(client.get("/api/test-definitions"), 200)
        assert (stored["id"], stored["description"]) == (applied["id"], "old")


class TestErrors:
    @pytest.mark.parametrize(
        ("document", "pointer"),
        [
            ({"kind": "Definition", "name": "x"}, "/image"),
            ({**DEFINITION, "name": "x", "imag": "y"}, "/imag"),
            ({**DEFINITION, "name": "x", "executor": "k7"}, "/executor"),
            ({**DEFINITION, "name": "x", "executor": ["k6"]}, "/executor"),
            ({**DEFINITION, "name": "x", "executorId": "y"}, "/executor"),
            ({**DEFINITION, "name": "x" * 201}, "/name"),
            ({**DEFINITION, "name": 5}, "/name"),
            ({**DEFINITION, "name": "x", "git": {"url": "https://h/r", "reff": "r"}}, "/git/reff"),
            ({"kind": "Job", "name": "x"}, "/kind"),
            ({"name": "x"}, "/kind"),
            ({**SCHEDULE, "cron": "x"}, "/cron"),
            ({**SCHEDULE, "definition": None}, "/definition"),
            (DEFINITION, "/name"),
        ],
    )
    def test_a_wrong_document_is_named_and_nothing_is_stored(self, client, document, pointer):
        body = {"documents": [EXECUTOR, DEFINITION, document]}
        assert pointers(client.post("/api/apply", json=body)) == {f"/documents/2{pointer}"}
        assert nothing_stored(client)

    def test_a_misspelt_field_is_recognized(self, client):
        detail = apply(client, {**EXECUTOR, "defaultComand": "x"}, status=422)["detail"]
        assert "/documents/0/defaultComand: unknown field; did you mean defaultCommand?" in detail
        detail = apply(client, {**DEFINITION, "executer": "x"}, status=422)["detail"]
        assert "/documents/0/executer: unknown field; did you mean executor?" in detail

    def test_all_errors_of_all_documents_are_named(self, client):
        wrong = {"kind": "Schedule", "name": "x", "definition": "none", "cron": "* *"}
        body = {"documents": [{**EXECUTOR, "image": 5}, DEFINITION, wrong]}
        assert pointers(client.post("/api/apply", json=body)) == {
            "/documents/0/image",
            "/documents/1/executor",
            "/documents/2/definition",
            "/documents/2/cron",
        }

    def test_a_reference_to_a_refused_document_does_not_say_that_it_is_missing(self, client):
        body = {"documents": [{**EXECUTOR, "image": 5}, DEFINITION]}
        problem = client.post("/api/apply", json=body).json
        assert {"pointer": "/documents/1/executor", "detail": "the executor 'k6' has errors"} in (
            problem["errors"]
        )

    def test_labels_that_are_no_list_are_refused_with_what_they_must_be(self, client):
        detail = apply(client, {**DEFINITION, "labels": {"a": "b"}}, status=422)["detail"]
        assert "/documents/0/labels: must be a list of texts" in detail

    @pytest.mark.parametrize("body", [{}, {"documents": []}, {"documents": ["x"]}])
    def test_documents_are_needed(self, client, body):
        assert client.post("/api/apply", json=body).status_code == 422
