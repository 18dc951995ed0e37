"""Reconciler: brings one run as far as it can go now."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sparktest.controller.actions import Actions
from sparktest.controller.api_run_poller import ApiRunPoller
from sparktest.controller.caches import Caches
from sparktest.controller.logs.collector import LogCollector
from sparktest.controller.observation import Observation
from sparktest.controller.plan import is_done, plan
from sparktest.controller.run_states import RunState, RunStates
from sparktest.controller.testruns import Key
from sparktest.errors import ConflictError
from sparktest.kube import wait_policy
from sparktest.settings import Settings

log = logging.getLogger(__name__)

# A run needs about ten passes from its beginning to its end.
MAX_PASSES = 20
# How long what the API said of a run counts as said just now, before a Job is created on it.
FRESH = timedelta(seconds=2)


class Reconciler:
    """Looks at a run, makes a plan, carries it out, until nothing is left to do at once.

    Threads may share it; no two of them may work on the same key at once.

    Args:
        cluster: the uid of this cluster.
        clock: the time now.
    """

    def __init__(
        self,
        settings: Settings,
        cluster: str,
        caches: Caches,
        run_states: RunStates,
        log_collector: LogCollector,
        api_run_poller: ApiRunPoller,
        actions: Actions,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._caches = caches
        self._run_states = run_states
        self._log_collector = log_collector
        self._api_run_poller = api_run_poller
        self._actions = actions
        self._clock = clock

    def reconcile(self, key: Key) -> None:
        """Bring the run of this key as far as it can go now.

        Raises:
            SparkTestError: something did not answer or refused; to be tried again.
        """
        state = self._run_states.get(key)
        for _ in range(MAX_PASSES):
            now = self._clock()
            observed = self.observe(key, state, now)
            state.live = None
            steps = plan(observed, now)
            # Every step is carried out, also after one that brought news.
            again = [self._actions.execute(step, observed, state) for step in steps]
            if not any(again):
                self._forget(observed)
                return
        raise ConflictError(f"no end of steps after {MAX_PASSES} passes, the last: {steps}")

    def observe(self, key: Key, state: RunState, now: datetime) -> Observation:
        """All that is known of the run now."""
        seen = state.live or self._caches.seen(key)
        just_fetched = _fresh(state.run_at, now)
        # What the API said just now needs no audit.
        state.verify_exists = state.verify_exists and not just_fetched
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
            events=state.events if _before(now, state.events_expire_at) else None,
            log=self._log_collector.log(key),
            following=self._log_collector.following(key),
            permanent_error=state.permanent_error,
            creation_wait=state.creation_wait
            if _before(now, state.creation_wait_expires_at)
            else None,
            last_report=state.last_report,
            last_status=state.last_status,
            waiting_since=state.track_waiting(wait_policy.waiting_reason(seen.pods), now),
            live=state.live is not None,
            verify_exists=state.verify_exists,
            api_error=self._api_run_poller.api_error,
            api_down_since=self._api_run_poller.api_down_since,
            pull_seconds=self._settings.image_pull_timeout_seconds,
            api_ttl_seconds=self._settings.job_ttl_seconds,
        )

    def _forget(self, observed: Observation) -> None:
        if is_done(observed):
            self._log_collector.forget(observed.key)
            self._run_states.remove(observed.key)


def _fresh(at: datetime | None, now: datetime) -> bool:
    # Not before: a clock that was set back would keep an old answer fresh.
    return at is not None and at <= now < at + FRESH


def _before(now: datetime, until: datetime | None) -> bool:
    return until is not None and now < until
