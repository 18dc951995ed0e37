"""Reconciler: brings one run as far as it can go now."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sparktest.controller.actions import Actions
from sparktest.controller.backend import Backend
from sparktest.controller.book import Book, Memo
from sparktest.controller.known import Known
from sparktest.controller.plan import plan, settled
from sparktest.controller.reporter import Reporter
from sparktest.controller.testruns import Key
from sparktest.controller.views import Views
from sparktest.errors import ConflictError
from sparktest.kube import patience
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
        views: Views,
        book: Book,
        reporter: Reporter,
        backend: Backend,
        actions: Actions,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._views = views
        self._book = book
        self._reporter = reporter
        self._backend = backend
        self._actions = actions
        self._clock = clock

    def reconcile(self, key: Key) -> None:
        """Bring the run of this key as far as it can go now.

        Raises:
            SparkTestError: something did not answer or refused; to be tried again.
        """
        memo = self._book.memo(key)
        for _ in range(MAX_PASSES):
            now = self._clock()
            known = self.known(key, memo, now)
            memo.live = None
            steps = plan(known, now)
            # Every step is carried out, also after one that brought news.
            again = [self._actions.carry_out(step, known, memo) for step in steps]
            if not any(again):
                self._forget(known)
                return
        raise ConflictError(f"no end of steps after {MAX_PASSES} passes, the last: {steps}")

    def known(self, key: Key, memo: Memo, now: datetime) -> Known:
        """All that is known of the run now."""
        seen = memo.live or self._views.seen(key)
        fresh = _fresh(memo.run_at, now)
        # What the API said just now needs no audit.
        memo.audit = memo.audit and not fresh
        return Known(
            key=key,
            cluster=self._cluster,
            testrun=seen.testrun,
            run=memo.run,
            standing=memo.standing,
            fresh=fresh,
            job=seen.job,
            job_uid=memo.job_uid,
            pods=seen.pods,
            events=memo.events if _before(now, memo.events_until) else None,
            log=self._reporter.log(key),
            following=self._reporter.following(key),
            refusal=memo.refusal,
            held_up=memo.held_up if _before(now, memo.held_up_until) else None,
            reported=memo.reported,
            told=memo.told,
            trouble_since=memo.trouble_began(patience.trouble(seen.pods), now),
            live=memo.live is not None,
            audit=memo.audit,
            away=self._backend.away,
            away_since=self._backend.away_since,
            pull_seconds=self._settings.image_pull_patience_seconds,
            api_ttl_seconds=self._settings.job_ttl_seconds,
        )

    def _forget(self, known: Known) -> None:
        if settled(known):
            self._reporter.forget(known.key)
            self._book.drop(known.key)


def _fresh(at: datetime | None, now: datetime) -> bool:
    # Not before: a clock that was set back would keep an old answer fresh.
    return at is not None and at <= now < at + FRESH


def _before(now: datetime, until: datetime | None) -> bool:
    return until is not None and now < until
