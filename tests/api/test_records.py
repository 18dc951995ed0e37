"""Records: runs that another program executes and reports for."""

import pytest

from tests.api.requests import CLUSTER, answered, create, pointers, report

REF = {"namespace": "shop", "name": "login-42"}
# The request of the first row of the contract's routes, word for word.
SEED = {
    "name": "login",
    "image": "busybox:1.35",
    "commands": ["echo hello"],
    "origin": "crd",
    "k8sRef": REF,
}


def record(client, **fields):
    return answered(client.post("/api/test-runs", json=SEED | fields), 201)


def test_a_reference_without_a_uid_is_a_record_without_a_job(client):
    run = record(client)
    assert (run["origin"], run["k8sRef"], run["namespace"]) == ("crd", SEED["k8sRef"], "shop")
    assert (run["jobName"], run["jobCreated"], run.get("cluster")) == ("", False, None)
    assert (run["status"], run["statusReason"]) == ("pending", "WaitingForReport")
    assert run["command"] == ["echo hello"]
    assert answered(client.get("/api/test-runs"), 200) == [run]


def test_every_request_is_a_record_of_its_own(client):
    assert record(client)["id"] != record(client)["id"]


def test_the_program_reports_and_no_controller_takes_it(client):
    run = record(client)
    url = f"/api/test-runs/{run['id']}"
    answered(client.put(f"{url}/claim", json={"cluster": CLUSTER}), 409)
    running = report(client, run["id"], "running")
    assert "statusReason" not in running
    assert report(client, run["id"], "succeeded")["status"] == "succeeded"


def test_a_record_without_a_report_can_be_deleted(client):
    url = f"/api/test-runs/{record(client)['id']}"
    assert client.delete(url).status_code == 204
    answered(client.get(url), 404)


def test_the_name_is_that_of_the_testrun_unless_it_is_given(client):
    assert record(client, name=None)["name"] == "login-42"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"k8sRef": None}, {"/k8sRef"}),
        ({"cluster": CLUSTER}, {"/k8sRef/uid"}),
        ({"k8sRef": {**REF, "uid": "u"}}, {"/cluster"}),
        ({"k8sRef": {"namespace": "shop"}}, {"/k8sRef/name"}),
        ({"image": None}, {"/image"}),
    ],
)
def test_what_is_missing_is_named(client, fields, named):
    assert pointers(client.post("/api/test-runs", json=SEED | fields)) == named


@pytest.mark.usefixtures("not_admin")
def test_its_privileged_fields_need_the_scope_admin(client):
    body = SEED | {"serviceAccountName": "robot"}
    assert pointers(client.post("/api/test-runs", json=body), 403) == {"/serviceAccountName"}


def test_a_run_of_the_api_still_waits_for_a_controller(client, clock):
    clock.advance(60)
    assert create(client)["statusReason"] == "WaitingForController"
