"""SuiteRunClient: the calls of suite runs."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from sparktest.domain_suites import SuiteRun, SuiteRunPage
from sparktest.http import HttpTransport
from sparktest.responses import read_cursor


class SuiteRunClient:
    """The calls of suite runs, as `client.suite_runs`."""

    def __init__(self, http: HttpTransport) -> None:
        self._http = http

    def list_page(
        self,
        *,
        suite_id: Sequence[str] = (),
        suite_name: Sequence[str] = (),
        status: Sequence[str] = (),
        cursor: str | None = None,
        limit: int = 100,
    ) -> SuiteRunPage:
        """Return a page of suite runs, newest first, each without its runs."""
        params: dict[str, Any] = {
            "suiteId": list(suite_id),
            "suiteName": list(suite_name),
            "status": list(status),
            "cursor": cursor,
            "limit": limit,
        }
        response = self._http.call("GET", "/suite-runs", params=params)
        found = self._http.value(response, tuple[SuiteRun, ...])
        following = read_cursor(response.headers)
        return SuiteRunPage(suite_runs=found, next=following)

    def get(self, suite_run_id: str) -> SuiteRun:
        """Return the suite run with its runs, in the order of the suite."""
        return self._http.fetch(SuiteRun, "GET", _path(suite_run_id))

    def cancel(self, suite_run_id: str) -> SuiteRun:
        """Cancel what is left of the suite run; what waits in it ends at once."""
        return self._http.fetch(SuiteRun, "POST", f"{_path(suite_run_id)}/cancel")


def _path(suite_run_id: str) -> str:
    return f"/suite-runs/{quote(suite_run_id, safe='')}"
