"""ReadingApp: an app that keeps a store of runs like the API's, by asking in threads."""

import random

from textual import on, work
from textual.app import App
from textual.timer import Timer
from textual.worker import Worker, WorkerState, get_current_worker

from sparktest.client import ApiClient
from sparktest.errors import SparkTestError, UnavailableError
from sparktest.tui.clock import Clock
from sparktest.tui.feed import BLURRED_SECONDS, POLL_SECONDS, Ask, Feed
from sparktest.tui.messages import Fetched, NotFetched, Refused
from sparktest.tui.screens.live import LiveScreen
from sparktest.tui.state import RunStore

TICK_SECONDS = 1.0


class ReadingApp(App[None]):
    """Asks what `feed` says when it says it, and has its live screens show the answers.

    Args:
        api: the API; only workers call it, and they only post messages.
        clock: the time.
    """

    def __init__(self, api: ApiClient, clock: Clock) -> None:
        super().__init__()
        self.store = RunStore()
        self.clock = clock
        self.feed = Feed(random.random)
        self._api = api
        self._timer: Timer | None = None

    def read(self) -> None:
        """Begin to read; called once, when there is a screen."""
        self.set_interval(TICK_SECONDS, self.sync)
        self._ask()

    def action_retry(self) -> None:
        """Ask the API now."""
        self.feed.hurry(self.clock.ticks())
        self.sync()
        self._ask()

    def _ask(self) -> None:
        self._fetch(self.feed.ask(self.clock.ticks(), self.store.ids()))

    @work(thread=True, exclusive=True, group="feed", exit_on_error=False)
    def _fetch(self, ask: Ask) -> None:
        worker = get_current_worker()
        try:
            page = self._api.list_runs(
                cursor=ask.cursor, updated_since=ask.updated_since, limit=ask.limit
            )
        except SparkTestError as error:
            told: Fetched | NotFetched = NotFetched(error)
        else:
            told = Fetched(ask, page)
        if not worker.is_cancelled:
            self.post_message(told)

    @on(Fetched)
    def _fetched(self, message: Fetched) -> None:
        gone = self.feed.answered(message.ask, message.page, self.clock.ticks())
        self.store.apply(message.page.runs)
        self.store.remove(gone)
        self._go_on()

    @on(NotFetched)
    def _not_fetched(self, message: NotFetched) -> None:
        self.feed.failed(message.error, self.clock.ticks())
        self._go_on()

    @on(Worker.StateChanged)
    def _worker_changed(self, message: Worker.StateChanged) -> None:
        """A worker that failed by a fault of its own is said, and reading goes on."""
        if message.state is not WorkerState.ERROR:
            return
        error = UnavailableError(f"{type(message.worker.error).__name__} in {message.worker.group}")
        if message.worker.group == "feed":
            self.post_message(NotFetched(error))
        else:
            self.post_message(Refused("Something went wrong", error))

    def _go_on(self) -> None:
        self.sync()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(max(self.feed.due(self.clock.ticks()), 0.001), self._ask)

    def sync(self) -> None:
        """Have every screen show what the store holds."""
        # While it ends the app takes its screens apart, and may still hear timers and workers.
        for screen in self.screen_stack if self.is_running else ():
            if isinstance(screen, LiveScreen) and screen.is_mounted:
                screen.sync()

    def on_app_blur(self) -> None:
        """Ask less often while nobody looks."""
        self.feed.pace(BLURRED_SECONDS, self.clock.ticks())

    def on_app_focus(self) -> None:
        """Ask often again."""
        self.feed.pace(POLL_SECONDS, self.clock.ticks())
        self._go_on()
