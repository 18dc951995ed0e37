"""Start the runs of due schedules, in a thread of each process of the API.

Every process may find the same due schedule. It is started by the first transaction that changes
its row; the others see another version of the row and do nothing.
"""

import logging
import threading
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from sparktest.api import due, schedule_runs
from sparktest.api.context import AppContext
from sparktest.api.due import Decision
from sparktest.api.store import schedules as store
from sparktest.api.store.engine import Row
from sparktest.api.store.resources import SCHEDULES
from sparktest.backoff import Backoff
from sparktest.errors import ConflictError, InvalidError, UnavailableError

# Schedules that other processes changed, and a clock that was set, are noticed after this time.
MAX_WAIT_SECONDS = 15.0
# A clock may have moved a little less than the wait.
MIN_WAIT_SECONDS = 0.01
MAX_AT_ONCE = 100
UNAVAILABLE = Backoff(first=1.0, cap=MAX_WAIT_SECONDS)

log = logging.getLogger(__name__)


class Started(NamedTuple):
    """What became of a due schedule: its decision, and the id of its run if it was started."""

    decision: Decision
    run_id: str | None


class Scheduler:
    """The thread that starts due schedules.

    Args:
        ctx: the context of the application. The thread ends when it is closing; a change of
            schedules wakes it.
    """

    def __init__(self, ctx: AppContext) -> None:
        self._ctx = ctx
        self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)

    def start(self) -> None:
        """Start the thread. In a server that forks, call this in each worker."""
        self._thread.start()

    def _loop(self) -> None:
        failures = 0
        while not self._ctx.closing.is_set():
            self._ctx.schedules_changed.clear()
            try:
                wait, failures = self.start_due(), 0
            except UnavailableError:
                # The store has logged it.
                wait, failures = UNAVAILABLE.delay(failures), failures + 1
            except Exception:
                log.exception("scheduler failed; it tries again")
                wait = MAX_WAIT_SECONDS
            self._ctx.schedules_changed.wait(wait)

    def start_due(self) -> float:
        """Start all schedules that are due now; return the seconds to wait before the next call.

        Raises:
            UnavailableError: the database does not answer.
        """
        now = self._ctx.clock()
        with self._ctx.store.reading() as connection:
            schedules = store.due(connection, now, MAX_AT_ONCE)
        failed = [each for each in schedules if not self._try(each, now)]
        if failed:
            return MAX_WAIT_SECONDS
        with self._ctx.store.reading() as connection:
            following = store.next_due(connection)
        if following is None:
            return MAX_WAIT_SECONDS
        wait = (following - self._ctx.clock()).total_seconds()
        return min(max(wait, MIN_WAIT_SECONDS), MAX_WAIT_SECONDS)

    def _try(self, schedule: Row, now: datetime) -> bool:
        """Start the schedule; return False if that failed for a reason that we do not know."""
        try:
            self._start(schedule, now)
        except UnavailableError:
            raise
        except Exception:
            # One schedule must not keep the others from being started.
            log.exception("schedule failed; it is tried again schedule_id=%s", schedule["id"])
            return False
        return True

    def _start(self, schedule: Row, now: datetime) -> None:
        problem = None
        try:
            decision = due.decide(schedule, now)
        except InvalidError as error:
            # The data of time zones has changed. A failed run says so, and no other is due.
            problem, decision = error, Decision(schedule["next_run_at"], 0, None, None)
        started = self._ctx.store.write(
            lambda connection: self._claim(connection, schedule, decision, problem)
        )
        if started is not None:
            _log(schedule, started)

    def _claim(
        self,
        connection: Connection,
        schedule: Row,
        decision: Decision,
        problem: InvalidError | None,
    ) -> Started | None:
        """Start the schedule unless its row has changed since it was read; then return None."""
        row = SCHEDULES.lock(connection, schedule["id"])
        if row is None or row["version"] != schedule["version"]:
            return None
        run_id = None
        if decision.start is not None:
            try:
                run_id = schedule_runs.start(connection, self._ctx, row, problem)
            except ConflictError:
                decision = due.skip(decision)
        changed = due.columns(row, decision)
        if run_id is not None:
            changed |= {"last_run_at": decision.start, "last_run_id": run_id}
        SCHEDULES.change(connection, {**row, **changed})
        return Started(decision, run_id)


def _log(schedule: Row, started: Started) -> None:
    decision, run_id = started
    if run_id is not None:
        log.info(
            "schedule started schedule_id=%s due=%s run_id=%s",
            schedule["id"],
            decision.start,
            run_id,
        )
    if decision.missed:
        log.warning(
            "schedule missed runs schedule_id=%s missed=%d last=%s",
            schedule["id"],
            decision.missed,
            decision.last_missed_at,
        )
