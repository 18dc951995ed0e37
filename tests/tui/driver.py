"""Runs the app without a terminal: what it shows as text, and waiting for it to show something."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from sparktest.tui.app import SparkTestApp
from tests.tui.fakes import FakeApi, StoppedClock

Scenario = Callable[["Seat"], Awaitable[None]]
DEADLINE_SECONDS = 10.0


class Seat:
    """A person before the app: sees the screen, presses keys."""

    def __init__(self, app: SparkTestApp, pilot: Pilot[Any], api: FakeApi) -> None:
        self.app = app
        self.pilot = pilot
        self.api = api

    @property
    def clock(self) -> StoppedClock:
        assert isinstance(self.app.clock, StoppedClock)
        return self.app.clock

    def screen(self) -> str:
        """What is on the screen now, a line a row."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    def line(self, words: str) -> str:
        """The first line that holds the words, "" when none does."""
        return next((line for line in self.screen().splitlines() if words in line), "")

    async def press(self, *keys: str) -> None:
        """Press keys one after the other; pilot.press would wait for an idle CPU after each."""
        for key in keys:
            self.type(key)
            # Through the queues of the app, the screen and the widget.
            for _ in range(2):
                await self.pilot._wait_for_screen()
            await self.pilot.pause(0)

    def type(self, *keys: str) -> None:
        """Send keys faster than the app can answer the first of them."""
        for key in keys:
            name = key if key.isalnum() else _character_to_key(key) if len(key) == 1 else key
            event = events.Key(name, "/" if key == "slash" else key if len(key) == 1 else None)
            event.set_sender(self.app)
            self.app._driver.send_message(event)  # type: ignore[union-attr]

    async def until(self, check: Callable[[], object], what: str = "") -> None:
        """Wait until the check holds; fails with the screen when it never does."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not check():
            if time.monotonic() > deadline:
                raise AssertionError(f"never: {what or check}\n{self.screen()}")
            await self.pilot.pause(0.01)

    async def sees(self, *words: str) -> str:
        """The screen once it shows all of the words."""
        await self.until(lambda: all(word in self.screen() for word in words), f"shows {words}")
        return self.screen()

    async def polled(self) -> None:
        """Wait until the API has been asked again and the answer is shown."""
        asked = len(self.api.asked)
        self.app.action_retry()
        await self.until(lambda: len(self.api.asked) > asked, "asks the API")
        await self.app.workers.wait_for_complete(
            [worker for worker in self.app.workers if worker.group == "feed"]
        )
        await self.pilot.pause()


def drive(
    scenario: Scenario,
    *,
    api: FakeApi | None = None,
    size: tuple[int, int] = (80, 24),
    environ: dict[str, str] | None = None,
    clock: StoppedClock | None = None,
) -> None:
    """Run the scenario on an app over this API, toasts included."""

    async def play() -> None:
        door = api or FakeApi()
        app = SparkTestApp(
            door,  # type: ignore[arg-type]
            address="127.0.0.1:8080",
            clock=clock or StoppedClock(),
            environ=environ or {},
        )
        async with app.run_test(size=size, notifications=True) as pilot:
            await scenario(Seat(app, pilot, door))

    asyncio.run(play())
