"""RunStates: per-run state that is kept between reconciles.

Nothing in it has to survive the process: all of it can be read again.
"""

import threading
from datetime import datetime
from typing import Any

from sparktest.controller.caches import ClusterState
from sparktest.controller.observation import Registration
from sparktest.controller.testruns import Key
from sparktest.domain import Failure, Run, RunReport
from sparktest.kube.views import EventView
from sparktest.kube.wait_policy import Wait


class RunState:
    """The state of one run; only the worker that has its key writes it.

    The run is the exception: the poller of API runs writes newer ones.
    """

    def __init__(self) -> None:
        self.run: Run | None = None
        self.run_at: datetime | None = None
        self.registration = Registration.UNKNOWN
        self.job_uid: str | None = None
        self.permanent_error: Failure | None = None
        self.creation_wait: Wait | None = None
        self.creation_wait_expires_at: datetime | None = None
        self.events: list[EventView] | None = None
        self.events_expire_at: datetime | None = None
        self.waiting_reason: str | None = None
        self.waiting_since: datetime | None = None
        self.last_report: RunReport | None = None
        self.last_status: dict[str, Any] | None = None
        self.live: ClusterState | None = None
        self.verify_exists = False

    def set_run(self, run: Run, at: datetime) -> None:
        """Keep the API's answer, unless a newer one is known."""
        if self.run is not None and self.run.id == run.id and self.run.version > run.version:
            return
        self.run, self.run_at = run, at
        self.registration = Registration.REGISTERED
        self.job_uid = run.job_uid or self.job_uid

    def clear_run(self, registration: Registration) -> None:
        """Keep that the API does not have the run, and why."""
        self.run = None
        self.registration = registration

    def track_waiting(self, reason: str | None, now: datetime) -> datetime | None:
        """Return since when the pod waits for this reason; None without one."""
        if reason != self.waiting_reason:
            self.waiting_reason, self.waiting_since = reason, now if reason else None
        return self.waiting_since


class RunStates:
    """The states of all runs by key; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[Key, RunState] = {}

    def get(self, key: Key) -> RunState:
        """Return the state of this key; create it if there is none."""
        with self._lock:
            return self._states.setdefault(key, RunState())

    def update(self, run: Run, at: datetime) -> bool:
        """Keep a run that was read at that time; return True if it is new or newer."""
        key = (run.namespace, run.job_name)
        with self._lock:
            state = self._states.setdefault(key, RunState())
            old = state.run
            state.set_run(run, at)
            return old is None or old.version < run.version or old.id != run.id

    def unfinished(self) -> dict[Key, Run]:
        """Return the runs that had not ended when they were last read."""
        with self._lock:
            states = list(self._states.items())
        return {key: state.run for key, state in states if state.run and not state.run.status.final}

    def verify_exists(self, key: Key) -> None:
        """Have the API asked about the run of this key, even if nothing seems left to do."""
        self.get(key).verify_exists = True

    def remove(self, key: Key) -> None:
        """Drop the state of a key for which nothing is left to do."""
        with self._lock:
            self._states.pop(key, None)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._states)
