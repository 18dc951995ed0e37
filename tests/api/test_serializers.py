"""Documents of runs: derived fields, durations, and the hint about a missing controller."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from sparktest.api.serializers import duration_seconds, required_keys
from sparktest.domain import Definition, Run
from tests.api.requests import CLUSTER, answered, create, define, get, register, report

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [
        (timedelta(0), "0"),
        (timedelta(seconds=8), "8"),
        (timedelta(days=2), "172800"),
        (timedelta(seconds=8, milliseconds=500), "8.5"),
        (timedelta(milliseconds=40), "0.04"),
        (timedelta(microseconds=1), "0.001"),
        (timedelta(seconds=1, microseconds=1_234), "1.001"),
    ],
)
def test_a_duration_keeps_milliseconds_and_whole_seconds_stay_whole(elapsed, expected):
    assert str(duration_seconds(START, START + elapsed)) == expected


def test_a_run_that_has_not_started_or_ended_has_no_duration():
    assert duration_seconds(None, START) is None
    assert duration_seconds(START, None) is None


@pytest.mark.parametrize(
    ("finished", "expected"),
    [("2026-05-01T12:00:12Z", b'"duration":12,'), ("2026-05-01T12:00:00.25Z", b'"duration":0.25,')],
)
def test_a_reported_duration_is_answered_exactly(client, finished, expected):
    run = create(client)
    report(client, run["id"], "succeeded", startedAt="2026-05-01T12:00:00Z", finishedAt=finished)
    assert expected in client.get(f"/api/test-runs/{run['id']}").data


def test_every_answer_has_the_required_keys_and_only_documented_ones(client):
    run = register(client, definitionName="missing", image=None)
    definition = define(client)
    for document, struct in ((run, Run), (definition, Definition)):
        assert set(required_keys(struct)) <= set(document)
        assert set(document) <= set(struct.__struct_encode_fields__)
        assert msgspec.to_builtins(msgspec.convert(document, struct))["name"] == document["name"]


def test_fields_without_a_value_are_left_out_except_those_that_earlier_clients_expect(client):
    run = create(client)
    assert "rerunOf" not in run
    nulls = {key for key, value in run.items() if value is None}
    assert nulls == {"testDefinitionId", "executorId", "startedAt", "finishedAt", "duration"}


class TestWaitingForController:
    def test_a_pending_run_without_a_controller_says_so(self, client):
        run = create(client)
        assert run["statusReason"] == "WaitingForController"
        assert "sparktest controller" in run["statusMessage"]

    def test_any_controller_may_claim_a_run_without_a_cluster(self, client, clock):
        client.get("/api/test-runs", headers={"SparkTest-Controller": "other"})
        run = create(client)
        assert "statusReason" not in run
        clock.advance(16)
        assert get(client, run["id"])["statusReason"] == "WaitingForController"
        assert answered(client.get("/api/test-runs"), 200)[0]["statusReason"]

    def test_a_run_of_a_cluster_waits_for_the_controller_of_that_cluster(self, client):
        client.get("/api/test-runs", headers={"SparkTest-Controller": "other"})
        run = register(client)
        assert run["statusReason"] == "WaitingForController"
        assert CLUSTER in run["statusMessage"]
        client.get("/api/test-runs", headers={"SparkTest-Controller": CLUSTER})
        assert "statusReason" not in get(client, run["id"])

    def test_a_run_with_a_job_keeps_its_reported_reason(self, client):
        run = create(client)
        reported = report(client, run["id"], "pending", jobUid="j", statusReason="Unschedulable")
        assert reported["statusReason"] == "Unschedulable"

    @pytest.mark.parametrize("cluster", ["", "x" * 129, "\x7f"])
    def test_an_invalid_cluster_header_is_refused(self, client, cluster):
        response = client.get("/api/test-runs", headers={"SparkTest-Controller": cluster})
        assert answered(response, 422)["detail"].startswith("SparkTest-Controller")

    @pytest.mark.parametrize("path", ["/livez", "/readyz", "/api/health"])
    def test_requests_that_need_no_token_record_no_heartbeat(self, client, path):
        client.get(path, headers={"SparkTest-Controller": CLUSTER})
        assert answered(client.get("/api/controllers"), 200) == []
