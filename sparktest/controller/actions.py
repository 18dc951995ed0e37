"""Carries out the steps of a plan: each is one or two calls, and may be repeated after a crash."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sparktest.client import ApiClient
from sparktest.controller import events, steps, testruns
from sparktest.controller.backend import Backend
from sparktest.controller.book import Memo
from sparktest.controller.jobs import JobActions
from sparktest.controller.known import Known, Standing
from sparktest.controller.reporter import Reporter
from sparktest.controller.steps import Step
from sparktest.controller.testruns import Key
from sparktest.controller.views import Views
from sparktest.domain import FailureClass, Run
from sparktest.errors import (
    ConflictError,
    GoneError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)
from sparktest.kube.cluster import TESTRUNS, Cluster
from sparktest.kube.jobs import FINALIZER
from sparktest.kube.outcome import failure_of
from sparktest.kube.pods import Object, section

log = logging.getLogger(__name__)


class Actions:
    """Does what a plan says, with the doors it is given; one per controller, shared by workers.

    Args:
        later: have a key worked on in so many seconds.
        clock: the time now.
    """

    def __init__(
        self,
        cluster: Cluster,
        client: ApiClient,
        views: Views,
        reporter: Reporter,
        backend: Backend,
        *,
        later: Callable[[Key, float], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._client = client
        self._views = views
        self._reporter = reporter
        self._backend = backend
        self._later = later
        self._clock = clock
        jobs = JobActions(cluster, views, later=later, clock=clock)
        self._by_kind: dict[type[Step], Callable[[Any, Known, Memo], bool]] = {
            steps.AddFinalizer: self._add_finalizer,
            steps.ReleaseFinalizer: self._release_finalizer,
            steps.Register: self._register,
            steps.FetchRun: self._fetch_run,
            steps.Claim: self._claim,
            steps.Follow: self._follow,
            steps.Report: self._report,
            steps.PatchStatus: self._patch_status,
            steps.Emit: self._emit,
            steps.Confirm: self._confirm,
            steps.LookAgain: self._look_again,
            steps.Park: self._park,
            steps.CreateJob: jobs.create,
            steps.Stop: jobs.stop,
            steps.Remove: jobs.remove,
            steps.PatchTtl: jobs.patch_ttl,
            steps.ReadEvents: jobs.read_events,
        }

    def carry_out(self, step: Step, known: Known, memo: Memo) -> bool:
        """Whether more is known now, so that another plan should be made.

        Raises:
            SparkTestError: it could not be done; the key is to be tried again.
        """
        return self._by_kind[type(step)](step, known, memo)

    # --- the TestRun -----------------------------------------------------------------------------

    def _add_finalizer(self, step: steps.AddFinalizer, known: Known, memo: Memo) -> bool:
        testrun = known.testrun or {}
        there = testruns.finalizers(testrun)
        path = "/metadata/finalizers"
        patch = [
            _test("/metadata/resourceVersion", section(testrun, "metadata")["resourceVersion"])
        ]
        if there:
            patch.append({"op": "add", "path": f"{path}/-", "value": FINALIZER})
        else:
            patch.append({"op": "add", "path": path, "value": [FINALIZER]})
        return self._patch_testrun(testrun, patch)

    def _release_finalizer(self, step: steps.ReleaseFinalizer, known: Known, memo: Memo) -> bool:
        testrun = known.testrun or {}
        path = f"/metadata/finalizers/{testruns.finalizers(testrun).index(FINALIZER)}"
        patch = [_uid_test(testrun), _test(path, FINALIZER), {"op": "remove", "path": path}]
        return self._patch_testrun(testrun, patch)

    def _patch_status(self, step: steps.PatchStatus, known: Known, memo: Memo) -> bool:
        testrun = known.testrun or {}
        patch = [_uid_test(testrun), {"op": "add", "path": "/status", "value": step.status}]
        written = self._patch_testrun(testrun, patch, subresource="status")
        memo.told = step.status
        return written

    def _patch_testrun(
        self, testrun: Object, patch: list[dict[str, Any]], *, subresource: str | None = None
    ) -> bool:
        metadata = section(testrun, "metadata")
        namespace, name = metadata["namespace"], metadata["name"]
        try:
            after = self._cluster.patch(TESTRUNS, namespace, name, patch, subresource=subresource)
        except NotFoundError:
            return False
        except (ConflictError, InvalidError):
            # A test of the patch failed: somebody else changed it. Never wait for the event of
            # that change, which may have come already.
            self._refresh(namespace, name)
            raise
        self._views.put(TESTRUNS, after)
        return True

    def _refresh(self, namespace: str, name: str) -> None:
        try:
            self._views.put(TESTRUNS, self._cluster.get(TESTRUNS, namespace, name))
        except NotFoundError:
            return

    def _emit(self, step: steps.Emit, known: Known, memo: Memo) -> bool:
        if known.testrun is not None:
            events.warn(self._cluster, known.testrun, step.reason, step.message)
        return False

    # --- the run in the API ----------------------------------------------------------------------

    def _register(self, step: steps.Register, known: Known, memo: Memo) -> bool:
        body = testruns.registration(known.testrun or {}, known.cluster)
        try:
            run = self._client.create_run(body)
        except GoneError:
            memo.no_run(Standing.GONE)
        except (InvalidError, TooLargeError) as error:
            memo.no_run(Standing.REFUSED)
            memo.refusal = failure_of(FailureClass.CONFIG, "Invalid", error.detail)
            log.warning("testrun refused key=%s/%s error=%s", *known.key, error.detail)
        else:
            memo.take(run, self._clock())
            log.info("testrun registered run_id=%s key=%s/%s", run.id, *known.key)
        return True

    def _fetch_run(self, step: steps.FetchRun, known: Known, memo: Memo) -> bool:
        memo.audit = False
        try:
            memo.take(self._client.get_run(step.run_id), self._clock())
        except NotFoundError:
            self._ask_for_tombstone(step.run_id, known, memo)
        except GoneError:
            memo.no_run(Standing.GONE)
        return True

    def _ask_for_tombstone(self, run_id: str, known: Known, memo: Memo) -> None:
        # A read answers 404 whether the run was deleted or never was; a write tells which.
        try:
            memo.take(self._client.claim_run(run_id, known.cluster), self._clock())
        except GoneError:
            memo.no_run(Standing.GONE)
        except (NotFoundError, ConflictError):
            memo.no_run(Standing.ABSENT)

    def _claim(self, step: steps.Claim, known: Known, memo: Memo) -> bool:
        run = _run(known)
        try:
            memo.take(self._client.claim_run(run.id, known.cluster), self._clock())
            log.info("run claimed run_id=%s", run.id)
        except ConflictError:
            memo.no_run(Standing.ABSENT)
        except (GoneError, NotFoundError):
            memo.no_run(Standing.GONE)
        return True

    def _report(self, step: steps.Report, known: Known, memo: Memo) -> bool:
        run, report = _run(known), step.report
        try:
            after = self._client.report_run(run.id, report)
        except NotFoundError:
            memo.no_run(Standing.ABSENT)
            return True
        except GoneError:
            memo.no_run(Standing.GONE)
            return True
        memo.reported = report
        memo.take(after, self._clock())
        log.info("run reported run_id=%s status=%s", run.id, report.status.value)
        if report.status.final and not after.status.final:
            raise ConflictError(f"the API did not take the end of run {run.id}")
        return True

    # --- looking ---------------------------------------------------------------------------------

    def _follow(self, step: steps.Follow, known: Known, memo: Memo) -> bool:
        if known.pod is not None:
            self._reporter.follow(known.key, _run(known).id, known.pod)
        return False

    def _confirm(self, step: steps.Confirm, known: Known, memo: Memo) -> bool:
        run = _run(known)
        self._fetch_run(steps.FetchRun(run.id), known, memo)
        testrun_name = run.k8s_ref.name if run.k8s_ref else None
        memo.live = self._views.read(known.key, testrun_name)
        return True

    def _look_again(self, step: steps.LookAgain, known: Known, memo: Memo) -> bool:
        seconds = (step.at - self._clock()).total_seconds()
        self._later(known.key, max(seconds, 0.05))
        return False

    def _park(self, step: steps.Park, known: Known, memo: Memo) -> bool:
        self._backend.park(known.key)
        return False


def _run(known: Known) -> Run:
    if known.run is None:
        raise ConflictError("the run is not known any more")
    return known.run


def _test(path: str, value: Any) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


def _uid_test(obj: Object) -> dict[str, Any]:
    return _test("/metadata/uid", section(obj, "metadata")["uid"])
