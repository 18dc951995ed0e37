"""Reconciler: observes a run, plans, and executes the steps."""

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sparktest.controller.actions import Actions
from sparktest.controller.bulkhead import Bulkhead, BulkheadFullError
from sparktest.controller.caches import Caches
from sparktest.controller.circuit_breaker import CircuitBreaker
from sparktest.controller.logs.collector import LogCollector
from sparktest.controller.observation import Observation
from sparktest.controller.plan import is_done, plan
from sparktest.controller.run_states import RunState, RunStates
from sparktest.controller.steps import Step
from sparktest.controller.testruns import Key
from sparktest.errors import ConflictError
from sparktest.kube import wait_policy
from sparktest.kube.pod_view import main_pod
from sparktest.settings import Settings

log = logging.getLogger(__name__)

# A run needs about ten passes from start to end.
MAX_PASSES = 20
# The maximum age of a run that a Job is created from.
JUST_FETCHED = timedelta(seconds=2)


class Reconciler:
    """Reconciles runs until nothing is left to do for now.

    Threads may share it, but no two may reconcile the same key at once.

    Args:
        cluster: the uid of this cluster.
        before_observing: called with the key before everything known about the run is read.
        clock: returns the current time.
    """

    def __init__(
        self,
        settings: Settings,
        cluster: str,
        caches: Caches,
        run_states: RunStates,
        log_collector: LogCollector,
        breaker: CircuitBreaker,
        bulkhead: Bulkhead,
        actions: Actions,
        *,
        before_observing: Callable[[Key], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._caches = caches
        self._run_states = run_states
        self._log_collector = log_collector
        self._breaker = breaker
        self._bulkhead = bulkhead
        self._actions = actions
        self._before_observing = before_observing
        self._clock = clock

    def reconcile(self, key: Key) -> None:
        """Reconcile the run of this key, as far as workers may call the API now.

        Raises:
            SparkTestError: a call failed; retry.
        """
        try:
            self._reconcile(key)
        except BulkheadFullError:
            pass  # The bulkhead queues the key when a call has ended.
        finally:
            self._bulkhead.wake()

    def _reconcile(self, key: Key) -> None:
        state = self._run_states.get(key)
        if key in self._caches.finished:
            if not (state.run or state.verify_exists or self._caches.get(key).testrun):
                # Late events of its last changes.
                self._run_states.remove(key)
                return
            self._caches.reload(key)
        for _ in range(MAX_PASSES):
            now = self._clock()
            self._before_observing(key)
            observed = self.observe(key, state, now)
            state.live = None
            steps = plan(observed, now)
            # Execute all steps, even if one of them asks for a new plan.
            changed = [self._execute(step, observed, state) for step in steps]
            if any(changed):
                continue
            if is_done(observed):
                self._log_collector.forget(key)
                self._run_states.remove(key)
                self._caches.compact(key)
            return
        raise ConflictError(f"steps left after {MAX_PASSES} passes, the last: {steps}")

    def _execute(self, step: Step, observed: Observation, state: RunState) -> bool:
        call = self._bulkhead.call(observed.key) if step.needs_api else contextlib.nullcontext()
        with call:
            return self._actions.execute(step, observed, state)

    def observe(self, key: Key, state: RunState, now: datetime) -> Observation:
        """Return everything known about the run now."""
        seen = state.live or self._caches.get(key)
        just_fetched = _is_recent(state.run_fetched_at, now)
        if state.discard_logs:
            # In this order: the poller may set it again at any time.
            state.discard_logs = False
            self._log_collector.discard(key)
        # A run that was just read exists.
        state.verify_exists = state.verify_exists and not just_fetched
        pod = main_pod(seen.pods)
        waiting = wait_policy.waiting_reason(pod)
        creation_wait_holds = _is_before(now, state.creation_wait_expires_at)
        return Observation(
            key=key,
            cluster=self._cluster,
            testrun=seen.testrun,
            run=state.run,
            registration=state.registration,
            just_fetched=just_fetched,
            job=seen.job,
            job_uid=state.job_uid,
            pods=seen.pods,
            events=state.events if _is_before(now, state.events_expire_at) else None,
            end_events=state.end_events,
            end_seen_at=state.track_end(pod is not None and pod.is_terminal, now),
            logs=self._log_collector.logs(key),
            logs_in_progress=self._log_collector.in_progress(key),
            permanent_error=state.permanent_error,
            creation_wait=state.creation_wait if creation_wait_holds else None,
            last_report=state.last_report,
            last_status=state.last_status,
            waiting_since=state.track_waiting(waiting, now),
            is_live=state.live is not None,
            namespace_deleted=state.namespace_deleted,
            verify_exists=state.verify_exists,
            api_error=self._breaker.error_for(key),
            api_down_since=self._breaker.opened_at,
            image_pull_timeout_seconds=self._settings.image_pull_timeout_seconds,
            api_run_ttl_seconds=self._settings.job_ttl_seconds,
        )


def _is_recent(at: datetime | None, now: datetime) -> bool:
    # `at <= now`: after the clock is set back, an old response must not count as recent.
    return at is not None and at <= now < at + JUST_FETCHED


def _is_before(now: datetime, until: datetime | None) -> bool:
    return until is not None and now < until
