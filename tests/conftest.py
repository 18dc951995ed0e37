"""Settings of every test session, and a summary of the skipped tests."""

from collections import Counter

import hypothesis
import pytest

# No time limit per example: a slow machine must not fail a test.
hypothesis.settings.register_profile("sparktest", deadline=None)
hypothesis.settings.load_profile("sparktest")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each reason for skipping once, with the number of tests; -rs prints a line per test."""
    skipped = terminalreporter.getreports("skipped")
    reasons = Counter(str(report.longrepr[2]) for report in skipped)
    if reasons:
        terminalreporter.section("skipped", sep="=")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
