"""The API is unreachable, slow or returns errors: the app stays usable and gives advice."""

import time
from threading import Event

import pytest

from sparktest.errors import (
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    SparkTestError,
    UnauthorizedError,
    UnavailableError,
    for_status,
)
from sparktest.responses import ForeignServerError
from sparktest.tui.outage import advice
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import FakeApi, make_run, make_runs, unreachable

UNREACHABLE = unreachable()


async def lose_api(ui: AppPilot, error: SparkTestError = UNREACHABLE) -> None:
    """Wait for the list, then make the API fail."""
    await ui.shows("login-flow-1", "live")
    ui.api.error = error
    await ui.press("r")
    await ui.shows("disconnected", "next try in")


def test_the_banner_shows_the_cause_and_counts_down():
    async def scenario(ui: AppPilot) -> None:
        await lose_api(ui)
        await ui.shows("cannot be reached: refused", "r tries now", "sparktest up")
        for _ in range(5):
            ui.app.poller.failed(UNREACHABLE, ui.clock.monotonic())
        ui.app.sync()
        before = ui.line("next try in")
        ui.clock.advance(3)
        ui.app.sync()
        await ui.wait_for(lambda: ui.line("next try in") != before)
        seconds = [
            int(line.split("next try in ")[1].split()[0])
            for line in (before, ui.line("next try in"))
        ]
        assert seconds[0] - seconds[1] == 3
        assert 15 <= seconds[0] <= 32

    drive(scenario, api=FakeApi(make_runs(5)))


def test_known_runs_can_be_searched_and_opened_during_an_outage():
    async def scenario(ui: AppPilot) -> None:
        await lose_api(ui)
        await ui.press("j", "slash", *"crd", "enter")
        await ui.shows("3 of 5 shown")
        await ui.press("enter")
        await ui.shows("Definition", "next try in")

    drive(scenario, api=FakeApi(make_runs(5)))


def test_polling_resumes_by_itself_when_the_api_is_back():
    async def scenario(ui: AppPilot) -> None:
        await lose_api(ui)
        ui.api.error = None
        ui.api.put(make_run(9))
        # The retry timer runs on the real clock; the first delay is short.
        await ui.shows("live", "dns-canary-9")
        assert "next try in" not in ui.screen()

    drive(scenario, api=FakeApi(make_runs(5)))


def test_r_polls_at_once():
    async def scenario(ui: AppPilot) -> None:
        await lose_api(ui)
        for _ in range(9):
            ui.app.poller.failed(UNREACHABLE, ui.clock.monotonic())
        ui.app.schedule_poll()
        ui.api.error = None
        await ui.press("r")
        await ui.shows("live")

    drive(scenario, api=FakeApi(make_runs(5)))


def caused_by(cause: Exception) -> UnavailableError:
    error = UnavailableError("the API cannot be read")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (caused_by(ConnectionError("refused")), "start it with sparktest up"),
        (caused_by(ValueError("not JSON")), "is this the address of SparkTest's API?"),
        (NotFoundError("HTTP 404"), "is this the address of SparkTest's API?"),
        (ForeignServerError("not an API"), "is this the address of SparkTest's API?"),
        (for_status(500)("HTTP 500"), "see the log of the API"),
        (RateLimitedError("HTTP 429"), "too many requests"),
        (UnauthorizedError("a token is needed"), "SPARKTEST_TOKEN_FILE"),
        (ForbiddenError("only as localhost"), "SPARKTEST_TOKEN"),
    ],
)
def test_the_advice_fits_the_error(error, expected):
    assert expected in advice(error)
    # An API that answers is already running.
    assert ("sparktest up" in advice(error)) == isinstance(error.__cause__, OSError)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UnauthorizedError("a token is needed"), "SPARKTEST_TOKEN"),
        (ForbiddenError("this API answers only as localhost"), "SPARKTEST_TOKEN"),
        (UnavailableError("answered something that SparkTest's API would not"), "BACKEND_URL"),
        (SparkTestError("HTTP 500"), "BACKEND_URL"),
    ],
)
def test_every_error_is_shown_with_advice(error, expected):
    async def scenario(ui: AppPilot) -> None:
        await lose_api(ui, error)
        await ui.shows(error.detail[:40], expected)

    drive(scenario, api=FakeApi(make_runs(5)), size=(120, 24))


def test_a_bug_in_the_poll_worker_is_shown_as_an_outage():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        ui.api.error = RecursionError()  # type: ignore[assignment]
        await ui.press("r")
        await ui.shows("RecursionError", "next try in")
        ui.api.error = None
        await ui.press("r")
        await ui.shows("live")

    drive(scenario, api=FakeApi(make_runs(5)))


def test_keys_work_while_the_api_does_not_answer():
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


def test_quitting_does_not_wait_for_the_api():
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
