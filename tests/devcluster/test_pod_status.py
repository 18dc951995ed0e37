"""The status of a pod in each of its states."""

from typing import Any

from sparktest.devcluster import pod_status
from sparktest.devcluster.pod_status import (
    Container,
    PodFailure,
    build_status,
    lost,
    new_containers,
    terminated,
)

TEST = {"name": "test", "image": "i"}
SPEC = {"containers": [TEST]}


def pod(**more: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 1}, "spec": SPEC | more, "status": {"phase": "Pending"}}


def conditions(found: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in found["conditions"]}


def test_a_new_pod_is_pending_and_its_container_is_being_created() -> None:
    found = build_status(pod(), new_containers(pod()), None, "T")
    assert (found["phase"], found["startTime"]) == ("Pending", "T")
    state = found["containerStatuses"][0]["state"]
    assert state == {"waiting": {"reason": "ContainerCreating"}}
    assert conditions(found)["Ready"] == "False"


def test_a_pod_with_a_running_container_is_running_and_ready() -> None:
    own = Container(TEST, {"running": {"startedAt": "T"}}, id="process://x")
    found = build_status(pod(), [own], None, "T")
    assert found["phase"] == "Running"
    assert set(conditions(found).values()) == {"True"}
    assert found["containerStatuses"][0]["imageID"] == pod_status.IMAGE_ID
    assert found["containerStatuses"][0]["started"] is True


def test_a_terminated_container_keeps_its_id_and_its_resources() -> None:
    own = Container(
        TEST | {"resources": {"requests": {"cpu": "1"}}},
        terminated(0, "Completed"),
        id="process://x",
    )
    found = own.status()
    assert found["state"]["terminated"]["containerID"] == found["containerID"]
    assert found["resources"] == {"requests": {"cpu": "1"}}
    assert found["allocatedResources"] == {"cpu": "1"}


def test_exit_codes_decide_the_phase() -> None:
    good, bad = (Container(TEST, terminated(code, "x")) for code in (0, 3))
    assert build_status(pod(), [good], None, "T")["phase"] == "Succeeded"
    assert build_status(pod(), [good, bad], None, "T")["phase"] == "Failed"
    assert build_status(pod(), [good], None, "T")["conditions"][2]["reason"] == "PodCompleted"


def test_a_failure_of_the_pod_overrides_the_result_of_its_containers() -> None:
    good = Container(TEST, terminated(0, "Completed"))
    found = build_status(pod(), [good], PodFailure("DeadlineExceeded", pod_status.DEADLINE), "T")
    assert (found["phase"], found["reason"]) == ("Failed", "DeadlineExceeded")


def test_a_failed_init_container_fails_the_pod_and_a_running_one_keeps_it_pending() -> None:
    own = pod(initContainers=[{"name": "init", "image": "i"}])
    init, main = new_containers(own)
    assert main.state == {"waiting": {"reason": "PodInitializing"}}
    init.state = {"running": {}}
    found = build_status(own, [init, main], None, "T")
    assert (found["phase"], conditions(found)["Initialized"]) == ("Pending", "False")
    init.state = terminated(1, "Error")
    assert build_status(own, [init, main], None, "T")["phase"] == "Failed"


def test_the_transition_time_of_a_condition_changes_only_with_its_status() -> None:
    own = pod()
    waiting = new_containers(own)
    own["status"] = build_status(own, waiting, None, "T1")
    again = build_status(own, waiting, None, "T2")
    assert {c["lastTransitionTime"] for c in again["conditions"]} == {"T1"}
    waiting[0].state = {"running": {}}
    running = {
        c["type"]: c["lastTransitionTime"]
        for c in build_status(own, waiting, None, "T3")["conditions"]
    }
    assert (running["Ready"], running["PodScheduled"]) == ("T3", "T1")


def test_a_lost_pod_fails_with_node_lost_and_keeps_the_results_of_its_containers() -> None:
    own = pod(containers=[{"name": name, "image": "i"} for name in "abc"])
    states = [{"running": {"startedAt": "T0"}}, {"waiting": {}}, terminated(0, "Completed")]
    own["status"]["containerStatuses"] = [
        {"name": name, "state": state} for name, state in zip("abc", states, strict=True)
    ]
    found = lost(own, "T1")
    assert (found["phase"], found["reason"]) == ("Failed", "NodeLost")
    running, waiting, done = (entry["state"]["terminated"] for entry in found["containerStatuses"])
    assert (running["exitCode"], running["startedAt"], running["finishedAt"]) == (137, "T0", "T1")
    assert waiting["reason"] == "ContainerStatusUnknown"
    assert done["exitCode"] == 0
