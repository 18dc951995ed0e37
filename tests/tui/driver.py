"""Run the app without a terminal: press keys, read the screen as text, wait for changes."""

import asyncio
import time
import unicodedata
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.keys import KEY_NAME_REPLACEMENTS
from textual.pilot import Pilot
from textual.strip import Strip

from sparktest.kubectl import Clusters
from sparktest.tui.app import SparkTestApp
from sparktest.tui.widgets.run_list import RunList
from tests.tui.fakes import KNOWN, FakeApi, StoppedClock

Scenario = Callable[["AppPilot"], Awaitable[None]]
DEADLINE_SECONDS = 60.0


class AppPilot:
    """A Textual pilot that reads the screen as text."""

    def __init__(self, app: SparkTestApp, pilot: Pilot[Any], api: FakeApi) -> None:
        self.app = app
        self.pilot = pilot
        self.api = api

    @property
    def clock(self) -> StoppedClock:
        assert isinstance(self.app.clock, StoppedClock)
        return self.app.clock

    def screen(self) -> str:
        """Return the text on the screen, a line per row."""
        # Textual has no public access to the painted cells.
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    def line(self, text: str) -> str:
        """Return the first line that contains the text, "" when none does."""
        return next((line for line in self.screen().splitlines() if text in line), "")

    def run_names(self) -> list[str]:
        """Return the names of runs in the visible rows, from the top."""
        known = {run.name for run in self.api.runs.values()}
        return [word for word in self.screen().split() if word in known]

    def footer(self) -> str:
        """Return the last line, without surrounding spaces."""
        return self.screen().splitlines()[-1].strip()

    async def press(self, *keys: str) -> None:
        """Press keys and wait after each; Textual's own press waits for an idle CPU."""
        for key in keys:
            self.type(key)
            # Through the queues of the app, the screen and the widget.
            for _ in range(3):
                await self.pilot.pause(0)

    def type(self, *keys: str) -> None:
        """Send keys without waiting for the app to handle any of them."""
        for key in keys:
            character = "/" if key == "slash" else key if len(key) == 1 else None
            event = events.Key(key_name(key), character)
            event.set_sender(self.app)
            self.app.post_message(event)

    async def wait_for(self, check: Callable[[], object], what: str = "") -> None:
        """Wait until the check is true; on a timeout, fail with the screen."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not check():
            if time.monotonic() > deadline:
                raise AssertionError(f"timed out waiting for {what or check}\n{self.screen()}")
            await self.pilot.pause(0.01)

    async def shows(self, *texts: str) -> str:
        """Wait until the screen shows all of the texts, and return it."""
        await self.wait_for(lambda: all(text in self.screen() for text in texts), f"{texts}")
        return self.screen()

    async def poll(self) -> None:
        """Make the app poll now, and wait until the answer is shown."""
        requests = len(self.api.requests)
        self.app.action_poll_now()
        await self.wait_for(lambda: len(self.api.requests) > requests, "a request")
        await self.app.workers.wait_for_complete(
            [worker for worker in self.app.workers if worker.group == "poll"]
        )
        await self.pilot.pause()


def key_name(key: str) -> str:
    """Return Textual's name of a key that is given as a character or by name."""
    if len(key) > 1 or key.isalnum():
        return key
    name = unicodedata.name(key).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


def drive(
    scenario: Scenario,
    *,
    api: FakeApi | None = None,
    size: tuple[int, int] = (80, 24),
    environ: dict[str, str] | None = None,
    clock: StoppedClock | None = None,
    clusters: Clusters = KNOWN,
) -> None:
    """Run the scenario on an app over this API."""

    async def run_app() -> None:
        fake = api or FakeApi()
        app = SparkTestApp(
            fake,  # type: ignore[arg-type]
            address="127.0.0.1:8080",
            clusters=clusters,
            clock=clock or StoppedClock(),
            environ=environ or {},
        )
        async with app.run_test(size=size, notifications=True) as pilot:
            await scenario(AppPilot(app, pilot, fake))

    asyncio.run(run_app())


async def watch_painting(ui: AppPilot) -> list[int]:
    """Return a list that records the line numbers that the run list paints from now on."""
    painted: list[int] = []
    runs = ui.app.screen.query_one(RunList)
    original = runs.render_line

    def render_line(y: int) -> Strip:
        painted.append(y)
        return original(y)

    runs.render_line = render_line  # type: ignore[method-assign]
    # The list may still be painting what it had loaded before.
    await ui.pilot.pause(0.2)
    while painted:
        painted.clear()
        await ui.pilot.pause(0.2)
    return painted
