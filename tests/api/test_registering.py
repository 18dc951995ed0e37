"""Requests of the controller: register, claim, report."""

import functools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparktest.domain import Status
from tests.api.requests import (
    CLUSTER,
    answered,
    concurrently,
    create,
    define,
    get,
    ids,
    of_testrun,
    pointers,
    register,
    report,
)

MISSING = "00000000-0000-4000-8000-000000000000"
LATER = "2026-05-01T12:00:10Z"


class TestRegister:
    def test_a_testrun_becomes_a_run_with_the_snapshot_of_its_job(self, client):
        run = register(client, commands=["a"], env={"A": "1"}, ttlSecondsAfterFinished=0)
        assert (run["origin"], run["cluster"], run["namespace"]) == ("crd", CLUSTER, "shop")
        assert run["k8sRef"] == {"namespace": "shop", "name": "login", "uid": "uid-1"}
        assert run["jobName"] == "testrun-login-uid1"
        assert (run["name"], run["commands"], run["env"]) == ("login", ["a"], {"A": "1"})
        assert run["ttlSecondsAfterFinished"] == 0

    def test_a_second_register_of_the_same_uid_answers_the_first_run(self, client):
        first = register(client)
        second = answered(client.post("/api/test-runs", json=of_testrun("uid-1", image="x")), 200)
        assert second == first
        assert ids(client) == [first["id"]]

    def test_another_uid_or_cluster_is_another_run(self, client):
        first = register(client)
        register(client, "uid-2")
        other = of_testrun("uid-1", cluster="cluster-2")
        assert answered(client.post("/api/test-runs", json=other), 201)["id"] != first["id"]
        assert len(ids(client)) == 3

    def test_the_snapshot_outlives_changes_of_the_definition(self, client):
        definition = define(client, commands=["old"])
        body = of_testrun("uid-1", image=None, definitionId=definition["id"])
        answered(client.post("/api/test-runs", json=body), 201)
        url = f"/api/test-definitions/{definition['id']}"
        answered(client.patch(url, json={"commands": ["new"]}), 200)
        assert answered(client.post("/api/test-runs", json=body), 200)["commands"] == ["old"]
        assert client.delete(url).status_code == 204
        second = answered(client.post("/api/test-runs", json=body), 200)
        assert (second["commands"], second["testDefinitionId"]) == (["old"], definition["id"])

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"definitionId": MISSING}, "DefinitionNotFound"),
            ({"definitionName": "nowhere"}, "DefinitionNotFound"),
            ({}, "ImageMissing"),
        ],
    )
    def test_an_unresolvable_testrun_becomes_a_failed_run(self, client, fields, reason):
        run = register(client, image=None, **fields)
        assert run["status"] == "failed"
        assert (run["failure"]["class"], run["failure"]["reason"]) == ("config", reason)
        assert run["failure"]["message"]
        assert run["finishedAt"] == run["createdAt"]
        assert ids(client, "status=failed") == [run["id"]]

    def test_an_unresolvable_testrun_that_was_started_becomes_a_pending_run(self, client):
        run = register(client, image=None, definitionName="lost", started=True)
        assert (run["status"], run["definitionName"]) == ("pending", "lost")
        report(client, run["id"], "succeeded")
        assert get(client, run["id"])["status"] == "succeeded"

    def test_a_run_registered_as_failed_stays_failed(self, client):
        first = register(client, image=None, definitionName="late")
        define(client, name="late")
        body = of_testrun("uid-1", image=None, definitionName="late")
        assert answered(client.post("/api/test-runs", json=body), 200) == first

    def test_a_deleted_run_is_not_registered_again(self, client):
        run = register(client)
        report(client, run["id"], "cancelled")
        assert client.delete(f"/api/test-runs/{run['id']}").status_code == 204
        answered(client.post("/api/test-runs", json=of_testrun("uid-1")), 410)
        register(client, "uid-2")

    def test_a_testrun_can_have_privileges_and_a_very_long_name(self, client):
        ref = {"namespace": "shop", "name": "n" * 240, "uid": "u"}
        sources = [{"prefix": "P_", "secretRef": {"name": "s", "optional": True}}]
        run = register(
            client,
            k8sRef=ref,
            envFrom=sources,
            serviceAccountName="robot",
            imagePullSecrets=[{"name": "pull"}],
            resources={"limits": {"cpu": 1, "a.b/c_d": "2"}},
        )
        assert (run["k8sRef"], run["name"]) == (ref, "n" * 200)
        assert (run["envFrom"], run["serviceAccountName"]) == (sources, "robot")
        assert run["imagePullSecrets"] == [{"name": "pull"}]
        assert run["resources"] == {"limits": {"cpu": "1", "a.b/c_d": "2"}}

    @pytest.mark.parametrize(
        ("changed", "named"),
        [
            ({"cluster": None}, "/cluster"),
            ({"k8sRef": None}, "/k8sRef"),
            ({"k8sRef": {"namespace": "a", "name": "b"}}, "/k8sRef/uid"),
            ({"k8sRef": {"namespace": "A b", "name": "b", "uid": "u"}}, "/k8sRef/namespace"),
            ({"k8sRef": {"namespace": "a", "name": "b\n-x", "uid": "u"}}, "/k8sRef/name"),
            ({"k8sRef": 5}, "/k8sRef"),
            ({"env": {"1A": "x"}}, "/env/1A"),
            ({"envFrom": [{"prefix": "x"}]}, "/envFrom/0"),
            ({"resources": {"limits": {"cpu": "many"}}}, "/resources/limits/cpu"),
            ({"git": {"url": "ext::sh -c id"}}, "/git/url"),
            ({"git": {"url": "https://me:pass@example.com/x"}}, "/git/url"),
            ({"git": {"url": "https://example.com/x", "path": ".."}}, "/git/path"),
        ],
    )
    def test_an_invalid_testrun_is_refused_with_the_field(self, client, changed, named):
        body = of_testrun("uid-1", **changed)
        assert named in pointers(client.post("/api/test-runs", json=body))
        assert ids(client) == []

    def test_concurrent_registers_of_one_testrun_give_one_run(self, app):
        responses = concurrently(
            [lambda: app.test_client().post("/api/test-runs", json=of_testrun("uid-1"))] * 8
        )
        assert sorted(response.status_code for response in responses) == [200] * 7 + [201]
        assert len({response.get_json()["id"] for response in responses}) == 1
        assert len(ids(app.test_client())) == 1


class TestClaim:
    def test_the_first_cluster_to_claim_gets_the_run(self, client):
        url = f"/api/test-runs/{create(client)['id']}/claim"
        assert answered(client.put(url, json={"cluster": "a"}), 200)["cluster"] == "a"
        assert answered(client.put(url, json={"cluster": "a"}), 200)["cluster"] == "a"
        assert "cluster a" in answered(client.put(url, json={"cluster": "b"}), 409)["detail"]

    def test_a_testruns_run_belongs_to_its_cluster(self, client):
        url = f"/api/test-runs/{register(client)['id']}/claim"
        answered(client.put(url, json={"cluster": CLUSTER}), 200)
        answered(client.put(url, json={"cluster": "b"}), 409)

    def test_a_final_run_cannot_be_claimed(self, client):
        run = create(client)
        report(client, run["id"], "cancelled")
        url = f"/api/test-runs/{run['id']}/claim"
        answered(client.put(url, json={"cluster": "a"}), 409)

    def test_of_concurrent_claims_one_wins(self, app):
        url = f"/api/test-runs/{create(app.test_client())['id']}/claim"
        clusters = [f"c{n}" for n in range(8)]

        def claim(cluster: str):
            return app.test_client().put(url, json={"cluster": cluster})

        responses = concurrently([functools.partial(claim, cluster) for cluster in clusters])
        won = [
            response.get_json()["cluster"] for response in responses if response.status_code == 200
        ]
        assert len(won) == 1
        assert sorted(response.status_code for response in responses) == [200] + [409] * 7


class TestReport:
    def test_reports_move_a_run_from_pending_to_failed(self, client, clock):
        run = create(client)
        waiting = report(
            client,
            run["id"],
            "pending",
            jobUid="j-1",
            statusReason="Unschedulable",
            statusMessage="0/1 nodes",
        )
        assert (waiting["statusReason"], waiting["statusMessage"]) == ("Unschedulable", "0/1 nodes")
        assert (waiting["jobUid"], waiting["jobCreated"]) == ("j-1", True)
        running = report(client, run["id"], "running", startedAt="2026-05-01T12:00:01.5Z")
        assert "statusReason" not in running
        clock.advance(30)
        failure = {"class": "test", "reason": "Error", "message": "exit 3", "exitCode": 3}
        ended = report(client, run["id"], "failed", finishedAt=LATER, failure=failure)
        assert (ended["status"], ended["failure"]) == ("failed", failure)
        assert (ended["startedAt"], ended["finishedAt"]) == ("2026-05-01T12:00:01.500000Z", LATER)
        assert ended["duration"] == 8.5
        assert ended["updatedAt"] == "2026-05-01T12:00:30Z"
        assert ended["version"] == run["version"] + 3

    def test_repeats_change_nothing(self, client, clock):
        run = create(client)
        fields = {"jobUid": "j", "startedAt": LATER, "log": {"state": "partial", "reason": "x"}}
        first = report(client, run["id"], "running", **fields)
        clock.advance(5)
        assert report(client, run["id"], "running", **fields) == first

    def test_a_final_report_without_an_end_uses_the_time_of_the_report(self, client):
        run = create(client)
        assert report(client, run["id"], "cancelled")["finishedAt"] == "2026-05-01T12:00:00Z"

    def test_a_run_never_ends_before_it_starts(self, client):
        run = create(client)
        ended = report(
            client, run["id"], "succeeded", startedAt=LATER, finishedAt="2026-05-01T12:00:09Z"
        )
        assert (ended["finishedAt"], ended["duration"]) == (LATER, 0)

    def test_after_the_end_of_a_run_only_its_log_state_changes(self, client):
        run = create(client)
        log = {"state": "none", "reason": "node lost"}
        ended = report(client, run["id"], "succeeded", finishedAt=LATER, log=log)
        failure = {"class": "infra", "reason": "NodeLost"}
        later = report(
            client,
            run["id"],
            "failed",
            jobUid="j",
            failure=failure,
            startedAt=LATER,
            log={"state": "complete"},
        )
        assert later["log"] == {"state": "complete", "bytes": 0}
        different = {"log", "version"}
        assert {k: v for k, v in later.items() if k not in different} == {
            k: v for k, v in ended.items() if k not in different
        }

    def test_a_success_has_no_failure(self, client):
        run = create(client)
        failure = {"class": "test", "reason": "x"}
        assert "failure" not in report(client, run["id"], "succeeded", failure=failure)

    def test_messages_from_the_cluster_are_truncated_not_refused(self, client):
        run = create(client)
        response = report(client, run["id"], "pending", jobUid="j", statusMessage="x" * 100_000)
        assert len(response["statusMessage"]) == 4096
        response = report(client, run["id"], "pending", jobUid="j", statusMessage="a\0b")
        assert response["statusMessage"] == "a\ufffdb"

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({}, "/status"),
            ({"status": "done"}, "/status"),
            ({"status": "failed", "failure": {"class": "x", "reason": "y"}}, "/failure/class"),
            ({"status": "failed", "failure": {"class": "test"}}, "/failure/reason"),
            ({"status": "running", "startedAt": "2026-05-01"}, "/startedAt"),
            ({"status": "running", "log": {"state": "x"}}, "/log/state"),
        ],
    )
    def test_an_invalid_report_is_refused_with_the_field(self, client, body, named):
        url = f"/api/test-runs/{create(client)['id']}/report"
        assert pointers(client.put(url, json=body)) == {named}

    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(statuses=st.lists(st.sampled_from([status.value for status in Status]), max_size=6))
    def test_in_any_order_the_highest_status_wins_and_the_first_end_stays(self, client, statuses):
        run_id = create(client)["id"]
        for status in statuses:
            report(client, run_id, status)
        ends = [status for status in statuses if Status(status).final]
        highest = max([*statuses, "pending"], key=lambda status: Status(status).rank)
        assert get(client, run_id)["status"] == (ends[0] if ends else highest)


def test_the_labels_of_a_testrun_find_its_run(client):
    labels = {"team": "shop", "empty": "", f"{'p' * 253}/{'n' * 63}": "v" * 63}
    labels |= {f"label-{number}": "" for number in range(997)}
    run = register(client, labels=labels)
    assert run["labels"] == labels
    for query in ("label=team%3Dshop", "label=empty", "label=label-996&label=team"):
        assert ids(client, query) == [run["id"]]
    assert ids(client, "label=team%3Dcart") == []
