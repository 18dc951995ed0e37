"""Book: what the controller remembers of each run between two looks at it.

Nothing in it has to survive the process: all of it can be learned again.
"""

import threading
from datetime import datetime
from typing import Any

from sparktest.controller.known import Standing
from sparktest.controller.testruns import Key
from sparktest.controller.views import Seen
from sparktest.domain import Failure, Run, RunReport
from sparktest.kube.patience import Wait
from sparktest.kube.pods import Object


class Memo:
    """What is remembered of one run; only the worker that has its key writes it.

    The run is the exception: the poll offers newer ones.
    """

    def __init__(self) -> None:
        self.run: Run | None = None
        self.run_at: datetime | None = None
        self.standing = Standing.UNASKED
        self.job_uid: str | None = None
        self.refusal: Failure | None = None
        self.held_up: Wait | None = None
        self.held_up_until: datetime | None = None
        self.events: list[Object] | None = None
        self.events_until: datetime | None = None
        self.trouble: str | None = None
        self.trouble_since: datetime | None = None
        self.reported: RunReport | None = None
        self.told: dict[str, Any] | None = None
        self.live: Seen | None = None
        self.audit = False

    def take(self, run: Run, at: datetime) -> None:
        """Remember what the API answered, unless something newer is known."""
        if self.run is not None and self.run.id == run.id and self.run.version > run.version:
            return
        self.run, self.run_at = run, at
        self.standing = Standing.KNOWN
        self.job_uid = run.job_uid or self.job_uid

    def no_run(self, standing: Standing) -> None:
        """Remember that the API has no such run, and why."""
        self.run = None
        self.standing = standing

    def trouble_began(self, trouble: str | None, now: datetime) -> datetime | None:
        """Since when the pod is in this trouble; None for no trouble."""
        if trouble != self.trouble:
            self.trouble, self.trouble_since = trouble, now if trouble else None
        return self.trouble_since


class Book:
    """A memo for each key; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._memos: dict[Key, Memo] = {}

    def memo(self, key: Key) -> Memo:
        """The memo of this key, a new one where there is none."""
        with self._lock:
            return self._memos.setdefault(key, Memo())

    def offer(self, run: Run, at: datetime) -> bool:
        """Whether a run, read at that time, is news."""
        key = (run.namespace, run.job_name)
        with self._lock:
            memo = self._memos.setdefault(key, Memo())
            old = memo.run
            memo.take(run, at)
            return old is None or old.version < run.version or old.id != run.id

    def unfinished(self) -> dict[Key, Run]:
        """The runs that had not ended when they were last read."""
        with self._lock:
            memos = list(self._memos.items())
        return {key: memo.run for key, memo in memos if memo.run and not memo.run.status.final}

    def audit(self, key: Key) -> None:
        """Have the API asked about the run of this key, even if nothing seems left to do."""
        self.memo(key).audit = True

    def drop(self, key: Key) -> None:
        """Forget the key: nothing is left to do for it."""
        with self._lock:
            self._memos.pop(key, None)

    def __len__(self) -> int:
        """How many runs are remembered."""
        return len(self._memos)
