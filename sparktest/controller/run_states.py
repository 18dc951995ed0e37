"""RunStates: per-run state kept between reconciles; a new process reads all of it again."""

import threading
from datetime import datetime
from typing import Any

import msgspec

from sparktest.controller.caches import ClusterState
from sparktest.controller.observation import Registration
from sparktest.controller.testruns import Key
from sparktest.domain import Failure, Run, RunReport, Status
from sparktest.kube.views import EventView
from sparktest.kube.wait_policy import Wait


class RunState(msgspec.Struct):
    """The state of one run.

    Only the worker that has its key writes it, except for `run`, which the poller updates, too.
    """

    run: Run | None = None
    # The last run that was cleared: if it comes back, its logs are still being stored.
    cleared_run: Run | None = None
    run_fetched_at: datetime | None = None
    registration: Registration = Registration.UNKNOWN
    job_uid: str | None = None
    permanent_error: Failure | None = None
    creation_wait: Wait | None = None
    creation_wait_expires_at: datetime | None = None
    events: list[EventView] | None = None
    events_expire_at: datetime | None = None
    end_events: list[EventView] | None = None
    end_seen_at: datetime | None = None
    waiting_reason: str | None = None
    waiting_since: datetime | None = None
    last_report: RunReport | None = None
    last_status: dict[str, Any] | None = None
    namespace_deleted: bool | None = None
    discard_logs: bool = False
    live: ClusterState | None = None
    verify_exists: bool = False

    def set_run(self, run: Run, at: datetime) -> None:
        """Store the run that the API returned.

        Another run than before, or an older version of it, comes from a database that was lost or
        restored: reports and logs that the old one has are sent again.
        """
        old = self.run or self.cleared_run
        self.cleared_run = None
        if old is None or old.id != run.id or old.version > run.version:
            self.last_report = self.last_status = None
            self.discard_logs = True
        self.run, self.run_fetched_at = run, at
        self.registration = Registration.REGISTERED
        self.job_uid = run.job_uid or self.job_uid

    def clear_run(self, registration: Registration) -> None:
        """Drop the run because the API does not have it; `registration` says why."""
        self.cleared_run = self.run or self.cleared_run
        self.run = None
        self.registration = registration

    def track_waiting(self, reason: str | None, now: datetime) -> datetime | None:
        """Record what the pod waits for; return since when, or None if it does not wait."""
        if reason != self.waiting_reason:
            self.waiting_reason, self.waiting_since = reason, now if reason else None
        return self.waiting_since

    def track_end(self, has_ended: bool, now: datetime) -> datetime | None:
        """Record whether the pod has ended; return when that was first seen, or None."""
        if not has_ended:
            self.end_seen_at = None
        elif self.end_seen_at is None:
            self.end_seen_at = now
        return self.end_seen_at


def _revision(run: Run) -> tuple[str, int, Status]:
    # A restored database counts versions anew, so the same version may have another status.
    return run.id, run.version, run.status


class RunStates:
    """The states of all runs by key; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[Key, RunState] = {}

    def get(self, key: Key) -> RunState:
        """Return the state of this run; create it if there is none."""
        with self._lock:
            return self._states.setdefault(key, RunState())

    def update(self, run: Run, at: datetime) -> bool:
        """Store a run that was read at this time; return True if it must be reconciled."""
        key = (run.namespace, run.job_name)
        with self._lock:
            state = self._states.setdefault(key, RunState())
            old = state.run
            if old is not None and old.id == run.id and old.version > run.version:
                # Read before the last write, or from a restored database: read it again.
                state.verify_exists, state.run_fetched_at = True, None
                return True
            state.set_run(run, at)
            return old is None or _revision(old) != _revision(run)

    def unfinished(self) -> dict[Key, Run]:
        """Return the runs that had not ended when they were last read."""
        with self._lock:
            states = list(self._states.items())
        return {key: state.run for key, state in states if state.run and not state.run.status.final}

    def verify_exists(self, key: Key) -> None:
        """Have the next reconcile of this key read its run from the API, if that still exists."""
        state = self.get(key)
        state.verify_exists, state.run_fetched_at = True, None

    def remove(self, key: Key) -> None:
        """Drop the state of a run for which nothing is left to do."""
        with self._lock:
            self._states.pop(key, None)
