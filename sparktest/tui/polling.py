"""PollingApp: an app that polls the API in worker threads and keeps the runs in a store."""

import time
from abc import abstractmethod
from asyncio import get_running_loop
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Thread
from typing import ParamSpec, TypeVar

from textual import getters, on, work
from textual.app import App
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker, WorkerState, get_current_worker

from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import SparkTestError, UnavailableError
from sparktest.run_poller import POLL_SECONDS, PageRequest, RunPoller
from sparktest.tui.messages import ActionFailed, Fetched, FetchFailed
from sparktest.tui.state import RunStore
from sparktest.tui.widgets.static import OutageBanner

TICK_SECONDS = 1.0
SWEEP_SECONDS = 60.0
BLURRED_POLL_SECONDS = 5.0

P = ParamSpec("P")
T = TypeVar("T")


class Clock:
    """The system clock; tests pass another one."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()


class PollingApp(App[None]):
    """An app whose store follows the runs of the API, and whose live screens follow the store.

    Args:
        api: the API; only worker threads call it, and they only post messages.
        clock: the source of the time.
    """

    def __init__(self, api: ApiClient, clock: Clock) -> None:
        super().__init__()
        self.store = RunStore()
        self.clock = clock
        self.poller = RunPoller(sweep_seconds=SWEEP_SECONDS)
        self._api = api
        self._timer: Timer | None = None

    def start_polling(self) -> None:
        """Request the first page; call once, after the first screen is pushed."""
        get_running_loop().set_default_executor(DaemonThreadExecutor())
        self.set_interval(TICK_SECONDS, self.sync)
        self._request_page()

    def action_poll_now(self) -> None:
        """Request the runs without delay."""
        self.poller.poll_now(self.clock.monotonic())
        self.sync()
        self._request_page()

    def _request_page(self) -> None:
        self._fetch(self.poller.next_request(self.clock.monotonic(), self.store.ids))

    @work(thread=True, exclusive=True, group="poll", exit_on_error=False)
    def _fetch(self, request: PageRequest) -> None:
        worker = get_current_worker()
        answer: Fetched | FetchFailed
        try:
            page = self._api.list_runs(
                cursor=request.cursor, updated_since=request.updated_since, limit=request.limit
            )
            answer = Fetched(request, page)
        except SparkTestError as error:
            answer = FetchFailed(error)
        if not worker.is_cancelled:
            self.post_message(answer)

    @on(Fetched)
    def _fetched(self, message: Fetched) -> None:
        deleted = self.poller.received(message.request, message.page, self.clock.monotonic())
        self.store.apply(message.page.runs)
        self.store.remove(deleted)
        self.schedule_poll()

    @on(FetchFailed)
    def _fetch_failed(self, message: FetchFailed) -> None:
        self.poller.failed(message.error, self.clock.monotonic())
        self.schedule_poll()

    @on(Worker.StateChanged)
    def _worker_changed(self, message: Worker.StateChanged) -> None:
        """Show a bug in a worker as an error of the API, and go on polling."""
        if message.state is not WorkerState.ERROR:
            return
        error = UnavailableError(f"{type(message.worker.error).__name__} in {message.worker.group}")
        if message.worker.group == "poll":
            self.post_message(FetchFailed(error))
        else:
            self.post_message(ActionFailed("Internal error", error))

    def schedule_poll(self) -> None:
        """Sync the screens and set the timer of the next request."""
        self.sync()
        if self._timer is not None:
            self._timer.stop()
        delay = max(self.poller.delay(self.clock.monotonic()), 0.001)
        self._timer = self.set_timer(delay, self._request_page)

    def sync(self) -> None:
        """Update every live screen from the store."""
        # Timers and workers still arrive while the app exits and removes its screens.
        for screen in self.screen_stack if self.is_running else ():
            if isinstance(screen, LiveScreen) and screen.is_mounted:
                screen.sync()

    def on_app_blur(self) -> None:
        """Poll less often while the terminal has no focus."""
        self.poller.set_poll_interval(BLURRED_POLL_SECONDS, self.clock.monotonic())

    def on_app_focus(self) -> None:
        """Poll at the usual interval again."""
        self.poller.set_poll_interval(POLL_SECONDS, self.clock.monotonic())
        self.schedule_poll()


class LiveScreen(Screen[None]):
    """A screen of runs; the app calls `sync` after changes of its store and each second."""

    app = getters.app(PollingApp)

    def __init__(self) -> None:
        super().__init__()
        self._banner = OutageBanner()

    @property
    @abstractmethod
    def selected_run(self) -> Run | None:
        """The run that copy, cancel and delete apply to."""

    def sync(self) -> None:
        """Update the screen from the store and the poller."""
        self._banner.show(self.app.poller, self.app.clock.monotonic())


class DaemonThreadExecutor(ThreadPoolExecutor):
    """An executor that runs each call in a new daemon thread.

    asyncio's default executor has few threads, and the process waits for them on exit. A call that
    follows a log, or waits for a server that does not answer, may take minutes.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start the call and return its future."""
        future: Future[T] = Future()
        # A running call cannot be cancelled, so the thread may always set its result.
        future.set_running_or_notify_cancel()

        def call() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - the top of a thread: the caller gets it
                future.set_exception(error)

        Thread(target=call, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Return immediately; running calls end with the process."""
