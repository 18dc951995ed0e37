"""The invariants hold in any order of user actions, Kubernetes events, faults and crashes."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sparktest.controller.testruns import parse_testrun
from sparktest.domain import Run, Status
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.resources import JOBS, PODS, TESTRUNS
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.faults import CrashError

KINDS = st.sampled_from([TESTRUNS, JOBS, PODS])
NAMES = st.sampled_from(["one", "two"])
PICK = st.integers(0, 3)
WHICH = st.sampled_from([0, 1])
UNKNOWN = ("", None)


class Invariants(RuleBasedStateMachine):
    """Each rule changes one part of the environment; the invariants hold after each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.environment = FakeEnvironment(controllers=2)
        self.finals: dict[str, Run] = {}
        # By Job's name: how its test ended by itself, unless somebody took the Job away.
        self.truth: dict[str, tuple[str, str | None]] = {}
        self.backup, self.restored = self.environment.api.backup(), False

    @initialize(crd=st.booleans(), ttl=st.none() | st.just(0))
    def begin(self, crd: bool, ttl: int | None) -> None:
        if crd:
            self.apply("one", ttl)
        else:
            self.ask_for_run()

    # --- people ----------------------------------------------------------------------------------

    @rule(name=NAMES, ttl=st.none() | st.just(0))
    def apply(self, name: str, ttl: int | None) -> None:
        if self.environment.testrun(name) is None:
            spec: dict[str, Any] = {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
            self.environment.apply(name, timeoutSeconds=60, **spec)

    @rule()
    def ask_for_run(self) -> None:
        if len(self.environment.api.runs) < 4:
            self.environment.api.add(timeout_seconds=60)

    @rule(name=NAMES)
    def set_cancelled(self, name: str) -> None:
        if self.environment.testrun(name) is not None:
            self.environment.edit(name, cancelled=True)

    @rule(name=NAMES)
    def delete_testrun(self, name: str) -> None:
        if self.environment.testrun(name) is not None:
            self.environment.delete_testrun(name)

    @rule(pick=PICK)
    def cancel_in_api(self, pick: int) -> None:
        runs = [run for run in self.environment.api.runs.values() if not run.status.final]
        if pick < len(runs) and runs[pick].cancel_requested_at is None:
            self.environment.api.change(runs[pick].id, cancel_requested_at=self.environment.now)

    @rule(pick=PICK)
    def delete_run(self, pick: int) -> None:
        runs = [run for run in self.environment.api.runs.values() if run.status.final]
        if pick < len(runs):
            self.environment.api.delete(runs[pick].id)

    @rule(pick=PICK)
    def delete_job_by_hand(self, pick: int) -> None:
        # One that is deleted before the API has heard of it leaves no trace: see architecture.md.
        observed = {run.job_uid for run in self.environment.api.runs.values()}
        jobs = self.environment.cluster.all(JOBS)
        jobs = [job for job in jobs if job["metadata"]["uid"] in observed]
        if pick < len(jobs):
            name = jobs[pick]["metadata"]["name"]
            self.truth[name] = UNKNOWN
            self.environment.delete_job(name)

    # --- Kubernetes ------------------------------------------------------------------------------

    @rule()
    def job_controller(self) -> None:
        self.environment.job_controller()

    @rule(pick=PICK)
    def start_container(self, pick: int) -> None:
        for pod in self.environment.pods()[pick : pick + 1]:
            if "containerStatuses" not in pod["status"]:
                self.environment.start_container(pod)

    @rule(pick=PICK, code=st.sampled_from([0, 3]))
    def end_container(self, pick: int, code: int) -> None:
        for pod in self.environment.pods()[pick : pick + 1]:
            self._end(pod, code, None if code == 0 else "Error")

    @rule(pick=PICK)
    def evict(self, pick: int) -> None:
        for pod in self.environment.pods()[pick : pick + 1]:
            self._end(pod, 137, "Evicted", reason="Evicted")

    def _end(self, pod: Any, code: int, why: str | None, **status: Any) -> None:
        if parse_pod(pod).container.kind == "running":
            end = ("succeeded" if code == 0 else "failed", why)
            self.truth.setdefault(pod["metadata"]["labels"]["job-name"], end)
            self.environment.end_container(pod, code, **status)

    @rule(pick=PICK)
    def fail_to_pull(self, pick: int) -> None:
        for pod in self.environment.pods()[pick : pick + 1]:
            if "containerStatuses" not in pod["status"]:
                waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}
                self.environment.container(pod, waiting, "Pending")

    @rule()
    def kubelet_enforces_deadlines(self) -> None:
        self.environment.enforce_deadlines()

    @rule(seconds=st.sampled_from([1, 3, 25, 120]))
    def time_passes(self, seconds: int) -> None:
        self.environment.pass_time(seconds)

    # --- the controller and what comes between it and the others ---------------------------------

    @rule(which=WHICH, kind=KINDS)
    def deliver(self, which: int, kind: Any) -> None:
        self.environment.controllers[which].caches.deliver(kind)

    @rule(which=WHICH, sweep=st.booleans())
    def poll(self, which: int, sweep: bool) -> None:
        self.environment.controllers[which].poll(sweep=sweep)

    @rule(which=WHICH)
    def logs_come(self, which: int) -> None:
        self.environment.controllers[which].log_collector.read()

    @rule(
        which=WHICH,
        faults=st.lists(
            st.sampled_from([None, None, "before", "after", "crash before", "crash after"]),
            max_size=4,
        ),
    )
    def work(self, which: int, faults: list[str | None]) -> None:
        self.environment.faults.next = faults
        try:
            self.environment.controllers[which].work()
        except CrashError:
            self.environment.faults.next = []
            self.environment.restart(which)
        self.environment.faults.next = []

    @rule()
    def api_goes_away(self) -> None:
        self.environment.api.down = True

    @rule()
    def api_comes_back(self) -> None:
        self.environment.api.down = False

    @rule()
    def back_up_database(self) -> None:
        self.backup = self.environment.api.backup()

    @rule()
    def restore_database(self) -> None:
        environment = self.environment
        present = {job["metadata"]["name"] for job in environment.cluster.all(JOBS)}
        lost = set(environment.cluster.jobs_created()) - present
        # A Job that is gone and that the backup does not know of leaves no trace either.
        if lost & {run.job_name for run in self.backup[0].values() if run.job_uid is None}:
            return
        environment.api.restore(self.backup)
        self.restored, self.finals = True, {}
        testruns = {parse_testrun(one).key[1] for one in environment.cluster.all(TESTRUNS)}
        for name in lost - testruns:
            self.truth[name] = UNKNOWN

    # --- the invariants --------------------------------------------------------------------------

    @invariant()
    def one_run_is_one_job(self) -> None:
        created = self.environment.cluster.jobs_created()
        assert len(created) == len(set(created)), created

    @invariant()
    def a_final_run_stays_as_it_ended(self) -> None:
        for run in self.environment.api.runs.values():
            if run.status.final:
                assert self.finals.setdefault(run.id, run).status is run.status
                assert run.finished_at is not None
                assert (run.failure is None) == (run.status is Status.SUCCEEDED)

    @invariant()
    def a_run_ends_as_its_test_did(self) -> None:
        for run in self.environment.api.runs.values():
            truth = self.truth.get(run.job_name, UNKNOWN)
            if run.status.final and truth != UNKNOWN:
                assert (run.status.value, run.failure and run.failure.reason) == truth
            assert run.failure is None or run.failure.reason != "NameConflict"

    @invariant()
    def a_final_status_is_that_of_the_run(self) -> None:
        for testrun in self.environment.cluster.all(TESTRUNS):
            status = testrun.get("status", {})
            run = self.environment.api.runs.get(status.get("runId", ""))
            if parse_testrun(testrun).status_is_final and run is not None:
                assert run.status.phase == status["phase"] or self.restored

    @invariant()
    def the_finalizer_comes_off_only_after_the_final_status(self) -> None:
        has_finalizer: set[str] = set()
        for resource, _, _, obj in self.environment.cluster.changed:
            if resource != TESTRUNS or obj is None:
                continue
            uid = obj["metadata"]["uid"]
            if parse_testrun(obj).has_finalizer:
                has_finalizer.add(uid)
            elif uid in has_finalizer:
                assert parse_testrun(obj).status_is_final

    @invariant()
    def a_job_gets_a_ttl_only_when_its_run_has_ended(self) -> None:
        if self.restored:
            return
        runs = self.environment.api.runs.values()
        unfinished = {run.job_name for run in runs if not run.status.final}
        for job in self.environment.cluster.all(JOBS):
            if job["metadata"]["name"] in unfinished:
                assert "ttlSecondsAfterFinished" not in job["spec"]

    def teardown(self) -> None:
        """Once nothing goes wrong any more, everything comes to its end and stays there."""
        environment = self.environment
        environment.faults.next = []
        environment.api.down = False
        self.end_everything()
        # Most runs end only here, so this is the moment for a backup to be older than their end.
        self.restore_database()
        self.end_everything()
        self.one_run_is_one_job()
        self.a_final_run_stays_as_it_ended()
        self.a_run_ends_as_its_test_did()
        assert all(run.status.final for run in environment.api.runs.values())
        for testrun in environment.cluster.all(TESTRUNS):
            assert parse_testrun(testrun).status_is_final, testrun
            assert not parse_testrun(testrun).has_finalizer
            assert not parse_testrun(testrun).is_deleting
            self.run_and_status_agree(testrun)
        jobs = {(NAMESPACE, job["metadata"]["name"]) for job in environment.cluster.all(JOBS)}
        for controller in environment.controllers:
            assert controller.plans() == {}
            assert {key for key in controller.run_states._states if key not in jobs} == set()
        self.a_new_controller_changes_nothing()

    def end_everything(self) -> None:
        environment = self.environment
        for _ in range(6):
            environment.settle()
            for pod in environment.pods():
                if pod["status"]["phase"] == "Pending":
                    environment.start_container(pod)
            environment.settle()
            environment.enforce_deadlines()
            for pod in environment.pods():
                self._end(pod, 0, None)
            environment.pass_time(1)
        environment.settle()

    def run_and_status_agree(self, testrun: Any) -> None:
        view, api = parse_testrun(testrun), self.environment.api
        runs = [run for run in api.runs.values() if run.k8s_ref and run.k8s_ref.uid == view.uid]
        assert len(runs) == (view.uid not in api.deleted)
        for run in runs:
            assert (run.id, run.status.phase) == (view.status["runId"], view.status["phase"])
            assert (run.failure is None) == ("failure" not in view.status)

    def a_new_controller_changes_nothing(self) -> None:
        before = len(self.environment.cluster.changed)
        self.environment.restart()
        self.environment.settle()
        assert len(self.environment.cluster.changed) == before


Invariants.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLaw = Invariants.TestCase
