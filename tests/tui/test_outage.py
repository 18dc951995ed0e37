"""The API away, slow, refusing or broken: the app goes on, answers keys, and says what to do."""

import time
from threading import Event

import pytest

from sparktest.errors import ForbiddenError, SparkTestError, UnauthorizedError, UnavailableError
from tests.tui.driver import Seat, drive
from tests.tui.fakes import FakeApi, make_run, make_runs

AWAY = UnavailableError("the API at http://127.0.0.1:8080/api does not answer: connection refused")


async def away(seat: Seat, error: SparkTestError = AWAY) -> None:
    """The list is shown and the API has just gone."""
    await seat.sees("login-flow-1", "live")
    seat.api.error = error
    await seat.press("r")
    await seat.sees("away", "next try in")


def test_the_banner_says_the_cause_and_counts_down():
    async def scenario(seat: Seat) -> None:
        await away(seat)
        await seat.sees("connection refused", "r tries now", "sparktest up")
        for _ in range(5):
            seat.app.feed.failed(AWAY, seat.clock.ticks())
        seat.app.sync()
        before = seat.line("next try in")
        seat.clock.pass_(3)
        seat.app.sync()
        await seat.until(lambda: seat.line("next try in") != before)
        seconds = [
            int(line.split("next try in ")[1].split()[0])
            for line in (before, seat.line("next try in"))
        ]
        assert seconds[0] - seconds[1] == 3
        assert 15 <= seconds[0] <= 32

    drive(scenario, api=FakeApi(make_runs(5)))


def test_what_is_known_can_be_browsed_searched_and_opened_meanwhile():
    async def scenario(seat: Seat) -> None:
        await away(seat)
        await seat.press("j", "slash", *"crd", "enter")
        await seat.sees("3 of 5 shown")
        await seat.press("enter")
        await seat.sees("Run id", "next try in")

    drive(scenario, api=FakeApi(make_runs(5)))


def test_it_goes_on_by_itself_when_the_api_is_back():
    async def scenario(seat: Seat) -> None:
        await away(seat)
        seat.api.error = None
        seat.api.put(make_run(9))
        # The timer that waits for the next try is of the real clock, and the first try is near.
        await seat.sees("live", "dns-canary-9")
        assert "next try in" not in seat.screen()

    drive(scenario, api=FakeApi(make_runs(5)))


def test_r_asks_at_once():
    async def scenario(seat: Seat) -> None:
        await away(seat)
        for _ in range(9):
            seat.app.feed.failed(AWAY, seat.clock.ticks())
        seat.app._go_on()
        seat.api.error = None
        await seat.press("r")
        await seat.sees("live")

    drive(scenario, api=FakeApi(make_runs(5)))


@pytest.mark.parametrize(
    ("error", "way_out"),
    [
        (UnauthorizedError("a token is needed"), "SPARKTEST_TOKEN"),
        (ForbiddenError("the scope is missing"), "scope"),
        (UnavailableError("answered something that SparkTest's API would not"), "BACKEND_URL"),
        (SparkTestError("HTTP 500"), "BACKEND_URL"),
    ],
)
def test_every_refusal_says_its_cause_and_the_way_out(error, way_out):
    async def scenario(seat: Seat) -> None:
        await away(seat, error)
        await seat.sees(error.detail[:40], way_out)

    drive(scenario, api=FakeApi(make_runs(5)), size=(120, 24))


def test_a_fault_of_the_reader_is_an_outage_too():
    async def scenario(seat: Seat) -> None:
        await seat.sees("login-flow-1")
        seat.api.error = RecursionError()  # type: ignore[assignment]
        await seat.press("r")
        await seat.sees("RecursionError", "next try in")
        seat.api.error = None
        await seat.press("r")
        await seat.sees("live")

    drive(scenario, api=FakeApi(make_runs(5)))


def test_keys_are_answered_while_the_api_is_silent():
    async def scenario(seat: Seat) -> None:
        await seat.sees("login-flow-1")
        seat.api.hold = Event()
        await seat.press("r")
        started = time.monotonic()
        await seat.press(*"jjk")
        assert seat.app.store.cursor == 1
        assert time.monotonic() - started < 2
        seat.api.hold.set()

    drive(scenario, api=FakeApi(make_runs(5)))


def test_the_end_does_not_wait_for_an_api_that_is_silent():
    api = FakeApi(make_runs(5))
    silence = Event()
    started = []

    async def scenario(seat: Seat) -> None:
        await seat.sees("login-flow-1")
        api.hold = silence
        await seat.press("r", "j", "enter")
        await seat.sees("Run id")
        started.append(time.monotonic())

    drive(scenario, api=api)
    assert time.monotonic() - started[0] < 5
    silence.set()
