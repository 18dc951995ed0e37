import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sparktest.cli import main
from sparktest.cli.logs import follow_log, write_log
from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, Log, LogState, Run, RunReport, Status
from sparktest.errors import NotFoundError, RateLimitedError, SparkTestError, UnavailableError
from tests.cli.conftest import Cli

LOG = b"one\ntwo \x1b[31mred\xff\nthree"


class Terminal(io.TextIOWrapper):
    """A stdout that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(api: ApiClient) -> Run:
    run = api.create_run({"name": "logged", "image": "i"})
    api.append_log(run.id, "test", 0, LOG)
    return api.report_run(run.id, RunReport(status=Status.SUCCEEDED))


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("args", [["logged"], ["logged", "-f"], ["logged", "-c", "test"]])
def test_a_pipe_gets_every_byte(
    api: ApiClient, capfdbinary: pytest.CaptureFixture[bytes], args: list[str]
) -> None:
    assert main(["logs", *args]) == 0
    assert capfdbinary.readouterr() == (LOG, b"")


@pytest.mark.usefixtures("run")
def test_tail_prints_only_the_last_lines(cli: Cli) -> None:
    assert cli("logs", "logged", "--tail", "1").out == "three"
    assert cli("logs", "logged", "--tail", "0").out == ""


@pytest.mark.usefixtures("run")
def test_tail_and_follow_exclude_each_other(cli: Cli) -> None:
    assert cli("logs", "logged", "-f", "--tail", "1").code == 2


@pytest.mark.usefixtures("run")
def test_an_unknown_container_lists_those_of_the_run(cli: Cli) -> None:
    result = cli("logs", "logged", "-c", "sidecar")

    assert (result.code, result.out) == (2, "")
    assert "no container 'sidecar'; its containers are: test" in result.err


@pytest.mark.parametrize("options", [[], ["-f"], ["--tail", "5"]])
def test_a_run_whose_test_never_started_names_the_log_of_what_failed(
    cli: Cli, api: ApiClient, options: list[str]
) -> None:
    template = {"spec": {"initContainers": [{"name": "clone", "image": "i"}]}}
    run = api.create_run({"name": "early", "image": "i", "template": template})
    api.append_log(run.id, "clone", 0, b"no such branch\n")
    failure = Failure(class_=FailureClass.CONFIG, reason="Init:Error", container="clone")
    stored = Log(state=LogState.COMPLETE, bytes=15)
    api.report_run(run.id, RunReport(status=Status.FAILED, failure=failure, log=stored))

    result = cli("logs", "early", *options)

    command = f"sparktest logs -c clone {run.id}"
    assert (result.code, result.out) == (0, "")
    assert result.err.endswith(
        f"the test of early never started; the log of what failed: {command}\n"
    )
    assert f"stored log   {command}\n" in cli("show", "early").out
    assert cli("logs", "early", "-c", "clone") == (0, "no such branch\n", "")


@pytest.mark.parametrize(
    ("reason", "text"),
    [("NotStarted", "its container never started"), ("NodeLost", "was stored: NodeLost")],
)
def test_a_run_without_a_log_says_why(cli: Cli, api: ApiClient, reason: str, text: str) -> None:
    run = api.create_run({"name": "bare", "image": "i"})
    stored = Log(state=LogState.NONE, reason=reason)
    api.report_run(run.id, RunReport(status=Status.FAILED, log=stored))

    assert text in cli("logs", "bare").err


def test_a_terminal_gets_text_without_escape_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", terminal)

    write_log(iter([b"one\n\x1b]0;ti", b"tle\x07two \x1b[2J\xff", b"three"]))

    terminal.seek(0)
    assert terminal.read() == "one\ntwo �three\n"


# --- resuming after lost connections -------------------------------------------------------------


class FakeLog:
    """A log that follows a script: chunks to yield, errors to raise, seconds to pass."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.offsets: list[int] = []
        self.now = 0.0

    def follow(self, offset: int) -> Iterator[bytes]:
        self.offsets.append(offset)
        for step in self.script.pop(0) if len(self.script) > 1 else self.script[0]:
            if isinstance(step, SparkTestError):
                raise step
            if isinstance(step, bytes):
                yield step
            else:
                self.now += step

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def read(self) -> bytes:
        chunks = follow_log(self.follow, clock=lambda: self.now, pause=self.pause)
        return b"".join(chunks)


CUT = UnavailableError("cut")


def test_a_log_is_resumed_after_a_lost_connection() -> None:
    log = FakeLog([b"one", CUT], [CUT], [b"two", RateLimitedError("later")], [b"three"])

    assert log.read() == b"onetwothree"
    assert log.offsets == [0, 3, 3, 6]


def test_retries_end_when_the_api_stays_down() -> None:
    log = FakeLog([b"one", 5.0, CUT], [CUT])

    with pytest.raises(UnavailableError):
        log.read()

    assert 35.0 <= log.now <= 40.0


def test_every_answer_restarts_the_retry_time() -> None:
    cuts = [[b"x", 20.0, CUT] for _ in range(10)]

    assert FakeLog(*cuts, [b"end"]).read() == b"x" * 10 + b"end"


def test_an_error_that_a_retry_cannot_fix_ends_it_at_once() -> None:
    log = FakeLog([b"one", NotFoundError("gone")])

    with pytest.raises(NotFoundError):
        log.read()

    assert log.offsets == [0]
