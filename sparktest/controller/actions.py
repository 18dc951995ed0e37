"""Execute the steps of a plan; each may be repeated after a crash."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sparktest.client import ApiClient
from sparktest.controller import steps
from sparktest.controller.caches import Caches
from sparktest.controller.circuit_breaker import CircuitBreaker
from sparktest.controller.events import record_event
from sparktest.controller.job_actions import JobActions
from sparktest.controller.logs.collector import LogCollector
from sparktest.controller.observation import Observation, Registration
from sparktest.controller.run_states import RunState
from sparktest.controller.steps import LostRaceError, Step
from sparktest.controller.testruns import Key, TestRunView, build_warning_event, create_run_payload
from sparktest.domain import Failure, FailureClass, Run
from sparktest.errors import (
    ConflictError,
    GoneError,
    InvalidError,
    NotFoundError,
    OffsetError,
    SparkTestError,
    TooLargeError,
)
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import FINALIZER
from sparktest.kube.resources import TESTRUNS

log = logging.getLogger(__name__)


class Actions:
    """Executes steps; the workers of a controller share one.

    Args:
        restricted: the pods of runs conform to Pod Security `restricted` by default.
        git_image: the image that clones the git repository of a run.
        requeue_after: reconciles a key again after this many seconds.
        clock: returns the current time.
        on_report: called with a run before and after a report.
    """

    def __init__(
        self,
        cluster: Cluster,
        client: ApiClient,
        caches: Caches,
        log_collector: LogCollector,
        breaker: CircuitBreaker,
        *,
        restricted: bool,
        git_image: str,
        requeue_after: Callable[[Key, float], None],
        clock: Callable[[], datetime],
        on_report: Callable[[Run, Run], None] = lambda before, after: None,
    ) -> None:
        self._cluster = cluster
        self._client = client
        self._caches = caches
        self._log_collector = log_collector
        self._breaker = breaker
        self._requeue_after = requeue_after
        self._clock = clock
        self._on_report = on_report
        jobs = JobActions(
            cluster,
            caches,
            restricted=restricted,
            git_image=git_image,
            requeue_after=requeue_after,
            clock=clock,
        )
        self._by_kind: dict[type[Step], Callable[[Any, Observation, RunState], bool]] = {
            steps.AddFinalizer: self._add_finalizer,
            steps.ReleaseFinalizer: self._release_finalizer,
            steps.Register: self._register,
            steps.FetchRun: self._fetch_run,
            steps.ClaimRun: self._claim,
            steps.CollectLog: self._collect_log,
            steps.WaitForLog: self._wait_for_log,
            steps.ReportRun: self._report,
            steps.PatchStatus: self._patch_status,
            steps.RecordEvent: self._record_event,
            steps.ReadLive: self._read_live,
            steps.RequeueAt: self._requeue_at,
            steps.DeferUntilApiUp: self._defer_until_api_up,
            steps.CreateJob: jobs.create,
            steps.StopJob: jobs.stop,
            steps.DeleteJob: jobs.delete,
            steps.PatchJobTtl: jobs.patch_ttl,
            steps.ReadEvents: jobs.read_events,
            steps.CheckNamespace: jobs.check_namespace,
        }

    def execute(self, step: Step, observed: Observation, state: RunState) -> bool:
        """Execute the step; return True if a new plan is needed because more is known now.

        Raises:
            SparkTestError: the step failed; retry the key.
        """
        return self._by_kind[type(step)](step, observed, state)

    # --- the TestRun -----------------------------------------------------------------------------

    def _add_finalizer(
        self, step: steps.AddFinalizer, observed: Observation, state: RunState
    ) -> bool:
        testrun = _testrun(observed)
        path = "/metadata/finalizers"
        add = {"op": "add", "path": path, "value": [FINALIZER]}
        if testrun.finalizers:
            add = {"op": "add", "path": f"{path}/-", "value": FINALIZER}
        patch = [_test("/metadata/resourceVersion", testrun.resource_version), add]
        return self._patch_testrun(testrun, patch)

    def _release_finalizer(
        self, step: steps.ReleaseFinalizer, observed: Observation, state: RunState
    ) -> bool:
        testrun = _testrun(observed)
        path = f"/metadata/finalizers/{testrun.finalizers.index(FINALIZER)}"
        uid = _test("/metadata/uid", testrun.uid)
        patch = [uid, _test(path, FINALIZER), {"op": "remove", "path": path}]
        return self._patch_testrun(testrun, patch)

    def _patch_status(
        self, step: steps.PatchStatus, observed: Observation, state: RunState
    ) -> bool:
        testrun = _testrun(observed)
        uid = _test("/metadata/uid", testrun.uid)
        patch = [uid, {"op": "add", "path": "/status", "value": step.status}]
        written = self._patch_testrun(testrun, patch, subresource="status")
        state.last_status = step.status
        return written

    def _patch_testrun(
        self, testrun: TestRunView, patch: list[dict[str, Any]], *, subresource: str | None = None
    ) -> bool:
        namespace, name = testrun.namespace, testrun.name
        try:
            after = self._cluster.patch(TESTRUNS, namespace, name, patch, subresource=subresource)
        except NotFoundError:
            return False
        except (ConflictError, InvalidError) as error:
            # If the TestRun has changed, a test of the patch failed.
            if self._has_changed(testrun):
                raise LostRaceError("the TestRun has changed") from error
            raise
        self._caches.put(TESTRUNS, after)
        return True

    def _has_changed(self, testrun: TestRunView) -> bool:
        """Read the TestRun again: the event of a change may have been handled already."""
        try:
            now = self._cluster.get(TESTRUNS, testrun.namespace, testrun.name)
        except NotFoundError:
            return True
        self._caches.put(TESTRUNS, now)
        return bool(now["metadata"]["resourceVersion"] != testrun.resource_version)

    def _record_event(
        self, step: steps.RecordEvent, observed: Observation, state: RunState
    ) -> bool:
        if observed.testrun is None:
            return False
        event = build_warning_event(
            observed.testrun, step.reason, step.message, self._clock(), step.generation
        )
        try:
            # What belongs to a generation happens once, however often it is noticed.
            record_event(self._cluster, event, again=step.generation is None)
        except SparkTestError as error:
            log.warning("event not recorded key=%s/%s error=%s", *observed.key, error.detail)
        return False

    # --- the run in the API ----------------------------------------------------------------------

    def _register(self, step: steps.Register, observed: Observation, state: RunState) -> bool:
        body = create_run_payload(_testrun(observed), observed.cluster, observed.job)
        try:
            run = self._client.create_run(body)
        except GoneError:
            state.clear_run(Registration.DELETED)
        except (InvalidError, TooLargeError) as error:
            state.clear_run(Registration.REJECTED)
            state.permanent_error = Failure(FailureClass.CONFIG, "Invalid", error.detail)
            log.warning("testrun rejected key=%s/%s error=%s", *observed.key, error.detail)
        else:
            state.set_run(run, self._clock())
            log.info("testrun registered run_id=%s key=%s/%s", run.id, *observed.key)
        return True

    def _fetch_run(self, step: steps.FetchRun, observed: Observation, state: RunState) -> bool:
        state.verify_exists = False
        try:
            state.set_run(self._client.get_run(step.run_id), self._clock())
        except NotFoundError:
            self._fetch_by_claim(step.run_id, observed, state)
        except GoneError:
            state.clear_run(Registration.DELETED)
        return True

    def _fetch_by_claim(self, run_id: str, observed: Observation, state: RunState) -> None:
        # A read answers 404 for a deleted run, too; a write answers 410.
        try:
            state.set_run(self._client.claim_run(run_id, observed.cluster), self._clock())
        except GoneError:
            state.clear_run(Registration.DELETED)
        except (NotFoundError, ConflictError):
            state.clear_run(Registration.NOT_FOUND)
            # It has no place for their logs; if it has the run again, they are read again.
            state.discard_logs = True

    def _claim(self, step: steps.ClaimRun, observed: Observation, state: RunState) -> bool:
        run = _run(observed)
        try:
            state.set_run(self._client.claim_run(run.id, observed.cluster), self._clock())
            log.info("run claimed run_id=%s", run.id)
        except GoneError:
            state.clear_run(Registration.DELETED)
        except (NotFoundError, ConflictError):
            state.clear_run(Registration.NOT_FOUND)
        return True

    def _report(self, step: steps.ReportRun, observed: Observation, state: RunState) -> bool:
        run, report = _run(observed), step.report
        try:
            after = self._client.report_run(run.id, report)
        except NotFoundError:
            state.clear_run(Registration.NOT_FOUND)
            return True
        except GoneError:
            state.clear_run(Registration.DELETED)
            return True
        except OffsetError as error:
            log.warning("log is stored again run_id=%s error=%s", run.id, error.detail)
            state.discard_logs = True
            return self._fetch_run(steps.FetchRun(run.id), observed, state)
        state.set_run(after, self._clock())
        state.last_report = report
        self._on_report(run, after)
        level = logging.INFO if report.status.final else logging.DEBUG
        log.log(level, "run reported run_id=%s status=%s", run.id, report.status.value)
        if report.status.final and not after.status.final:
            raise ConflictError(f"the API ignored the final report of run {run.id}")
        return True

    # --- observing -------------------------------------------------------------------------------

    def _collect_log(self, step: steps.CollectLog, observed: Observation, state: RunState) -> bool:
        if observed.pod is not None:
            self._log_collector.collect(observed.key, _run(observed), observed.pod, step.container)
        return False

    def _wait_for_log(self, step: steps.WaitForLog, observed: Observation, state: RunState) -> bool:
        # The log collector reconciles the key when a log is done.
        self._log_collector.end_others(observed.key)
        return False

    def _read_live(self, step: steps.ReadLive, observed: Observation, state: RunState) -> bool:
        run, testrun = observed.run, observed.testrun
        if run is not None:
            self._fetch_run(steps.FetchRun(run.id), observed, state)
        in_run = run.k8s_ref.name if run and run.k8s_ref else None
        testrun_name = testrun.name if testrun else in_run
        state.live = self._caches.read_live(observed.key, testrun_name)
        return True

    def _requeue_at(self, step: steps.RequeueAt, observed: Observation, state: RunState) -> bool:
        seconds = (step.at - self._clock()).total_seconds()
        self._requeue_after(observed.key, max(seconds, 0.05))
        return False

    def _defer_until_api_up(
        self, step: steps.DeferUntilApiUp, observed: Observation, state: RunState
    ) -> bool:
        self._breaker.defer(observed.key)
        return False


def _run(observed: Observation) -> Run:
    if observed.run is None:
        raise ConflictError("the run is no longer known")
    return observed.run


def _testrun(observed: Observation) -> TestRunView:
    if observed.testrun is None:
        raise ConflictError("the TestRun is no longer known")
    return observed.testrun


def _test(path: str, value: Any) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}
