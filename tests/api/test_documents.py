"""What an answer says of a run beyond what is stored."""

import pytest

from tests.api.requests import CLUSTER, answered, create, get, register, report


class TestWaitingForController:
    def test_a_pending_run_says_that_nobody_takes_it_up(self, client):
        run = create(client)
        assert run["statusReason"] == "WaitingForController"
        assert "sparktest controller" in run["statusMessage"]

    def test_any_controller_may_take_up_a_run_of_no_cluster(self, client, clock):
        client.get("/api/test-runs", headers={"SparkTest-Controller": "far-away"})
        run = create(client)
        assert "statusReason" not in run
        clock.pass_seconds(16)
        assert get(client, run["id"])["statusReason"] == "WaitingForController"
        assert answered(client.get("/api/test-runs"), 200)[0]["statusReason"]

    def test_only_its_own_controller_takes_up_a_run_of_a_cluster(self, client):
        client.get("/api/test-runs", headers={"SparkTest-Controller": "far-away"})
        run = register(client)
        assert run["statusReason"] == "WaitingForController"
        assert CLUSTER in run["statusMessage"]
        client.get("/api/test-runs", headers={"SparkTest-Controller": CLUSTER})
        assert "statusReason" not in get(client, run["id"])

    def test_a_run_with_a_job_goes_on_by_itself(self, client):
        run = create(client)
        reported = report(client, run["id"], "pending", jobUid="j", statusReason="Unschedulable")
        assert reported["statusReason"] == "Unschedulable"

    @pytest.mark.parametrize("cluster", ["", "x" * 129, "\x7f"])
    def test_a_controller_of_no_cluster_is_refused(self, client, cluster):
        response = client.get("/api/test-runs", headers={"SparkTest-Controller": cluster})
        assert answered(response, 422)["detail"].startswith("SparkTest-Controller")
