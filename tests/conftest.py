"""Settings of every test session, and a summary of the skipped tests."""

import gc
import signal
from collections import Counter
from collections.abc import Iterator

import hypothesis
import pytest

# A shell ignores Ctrl-C for the programs that it starts in the background, and they hand that on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No time limits: a slow machine must not fail a test.
hypothesis.settings.register_profile(
    "sparktest", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("sparktest")


@pytest.fixture
def garbage_collection_paused() -> Iterator[None]:
    """Collect the garbage of earlier tests now, and no more until the test has ended.

    Decoding deeply nested JSON fills the stack up to the recursion limit. A collection that starts
    there runs finalizers without any stack left; pytest then reports their RecursionError.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each reason for skipping once, with the number of tests; -rs prints a line per test."""
    skipped = terminalreporter.getreports("skipped")
    reasons = Counter(str(report.longrepr[2]) for report in skipped)
    if reasons:
        terminalreporter.section("skipped", sep="=")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
