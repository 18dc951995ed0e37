"""The API away, slow, refusing or broken: the app goes on, answers keys, and says what to do."""

import time
from threading import Event

import pytest

from sparktest.errors import ForbiddenError, SparkTestError, UnauthorizedError, UnavailableError
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import FakeApi, make_run, make_runs, unreachable

UNREACHABLE = unreachable()


async def lose_api(ui: AppPilot, error: SparkTestError = UNREACHABLE) -> None:
    """The list is shown and the API has just gone."""
    await ui.shows("login-flow-1", "live")
    ui.api.error = error
    await ui.press("r")
    await ui.shows("disconnected", "next try in")


def test_the_banner_says_the_cause_and_counts_down():
    async def scenario(ui: AppPilot) -> None:
        await lose_api(ui)
        await ui.shows("does not answer: refused", "r tries now", "sparktest up")
        for _ in range(5):
            ui.app.poller.failed(UNREACHABLE, ui.clock.monotonic())
        ui.app.sync()
        before = ui.line("next try in")
        ui.clock.pass_(3)
        ui.app.sync()
        await ui.wait_for(lambda: ui.line("next try in") != before)
        seconds = [
            int(line.split("next try in ")[1].split()[0])
            for line in (before, ui.line("next try in"))
        ]
        assert seconds[0] - seconds[1] == 3
        assert 15 <= seconds[0] <= 32

    drive(scenario, api=FakeApi(make_runs(5)))


def test_what_is_known_can_be_browsed_searched_and_opened_meanwhile():
    async def scenario(ui: AppPilot) -> None:
        await lose_api(ui)
        await ui.press("j", "slash", *"crd", "enter")
        await ui.shows("3 of 5 shown")
        await ui.press("enter")
        await ui.shows("Definition", "next try in")

    drive(scenario, api=FakeApi(make_runs(5)))


def test_it_goes_on_by_itself_when_the_api_is_back():
    async def scenario(ui: AppPilot) -> None:
        await lose_api(ui)
        ui.api.error = None
        ui.api.put(make_run(9))
        # The timer that waits for the next try is of the real clock, and the first try is near.
        await ui.shows("live", "dns-canary-9")
        assert "next try in" not in ui.screen()

    drive(scenario, api=FakeApi(make_runs(5)))


def test_r_asks_at_once():
    async def scenario(ui: AppPilot) -> None:
        await lose_api(ui)
        for _ in range(9):
            ui.app.poller.failed(UNREACHABLE, ui.clock.monotonic())
        ui.app.schedule_poll()
        ui.api.error = None
        await ui.press("r")
        await ui.shows("live")

    drive(scenario, api=FakeApi(make_runs(5)))


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (UnauthorizedError("a token is needed"), "SPARKTEST_TOKEN"),
        (ForbiddenError("this API answers only as localhost"), "SPARKTEST_TOKEN"),
        (UnavailableError("answered something that SparkTest's API would not"), "BACKEND_URL"),
        (SparkTestError("HTTP 500"), "BACKEND_URL"),
    ],
)
def test_every_refusal_says_its_cause_and_the_way_out(error, advice):
    async def scenario(ui: AppPilot) -> None:
        await lose_api(ui, error)
        await ui.shows(error.detail[:40], advice)

    drive(scenario, api=FakeApi(make_runs(5)), size=(120, 24))


def test_a_fault_of_the_reader_is_an_outage_too():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        ui.api.error = RecursionError()  # type: ignore[assignment]
        await ui.press("r")
        await ui.shows("RecursionError", "next try in")
        ui.api.error = None
        await ui.press("r")
        await ui.shows("live")

    drive(scenario, api=FakeApi(make_runs(5)))


def test_keys_are_answered_while_the_api_is_silent():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        ui.api.hold = Event()
        await ui.press("r")
        started = time.monotonic()
        await ui.press(*"jjk")
        assert ui.app.store.cursor == 1
        assert time.monotonic() - started < 2
        ui.api.hold.set()

    drive(scenario, api=FakeApi(make_runs(5)))


def test_the_end_does_not_wait_for_an_api_that_is_silent():
    api = FakeApi(make_runs(5))
    silence = Event()
    started = []

    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        api.hold = silence
        await ui.press("r", "j", "enter")
        await ui.shows("Definition")
        started.append(time.monotonic())

    drive(scenario, api=api)
    assert time.monotonic() - started[0] < 5
    silence.set()
