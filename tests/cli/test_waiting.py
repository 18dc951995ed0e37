import threading

import pytest

from sparktest.cli import waiting
from sparktest.client import ApiClient
from sparktest.domain import RunReport, Status
from sparktest.errors import NotFoundError, SparkTestError, UnavailableError
from tests.cli.conftest import Cli
from tests.scripted_api import answer, problem, reset, scripted_api

RUN = {
    "id": "1",
    "name": "n",
    "status": "pending",
    "origin": "api",
    "createdAt": "2026-01-02T03:04:05Z",
}


def test_waiting_for_an_ended_run_returns_at_once(cli: Cli, api: ApiClient) -> None:
    run = api.create_run({"name": "over", "image": "i"})
    api.report_run(run.id, RunReport(status=Status.SUCCEEDED))

    assert cli("wait", "over") == (0, "", "sparktest: over succeeded\n")


def test_every_change_is_printed_once(cli: Cli) -> None:
    with scripted_api() as api:
        waits = RUN | {"statusReason": "Unschedulable", "statusMessage": "no node"}
        api.scripts = [
            answer([RUN]),
            answer(RUN),
            answer(waits),
            answer(waits),
            answer(RUN | {"status": "running"}),
            answer(RUN | {"status": "succeeded", "duration": 61.4}),
        ]

        result = cli("wait", "n", "--backend-url", api.url)

    assert result.code == 0
    assert result.err.splitlines() == [
        "sparktest: n pending",
        "sparktest: n pending: Unschedulable: no node",
        "sparktest: n running",
        "sparktest: n succeeded in 1m01s",
    ]


def test_a_wait_survives_a_restart_of_the_api(cli: Cli) -> None:
    with scripted_api() as api:
        ended = answer(RUN | {"status": "succeeded"})
        api.scripts = [answer([RUN]), reset, problem(503, detail="starting"), ended]

        assert cli("wait", "n", "--backend-url", api.url).code == 0


def test_a_wait_ends_when_the_api_stays_down(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "RETRY_SECONDS", 0.05)
    with scripted_api() as api:
        api.scripts = [answer([RUN]), problem(503, detail="the database is down")]

        result = cli("wait", "n", "--backend-url", api.url)

    assert result.code == 6
    assert result.err.splitlines()[-1] == "sparktest: the database is down"


def test_deleting_the_run_ends_the_wait(cli: Cli) -> None:
    with scripted_api() as api:
        api.scripts = [answer([RUN]), problem(410, detail="run 1 was deleted")]

        result = cli("wait", "n", "--backend-url", api.url)

    assert (result.code, result.err.splitlines()[-1]) == (2, "sparktest: run 1 was deleted")


@pytest.mark.parametrize(("kind", "calls"), [(UnavailableError, 3), (NotFoundError, 1)])
def test_only_retryable_errors_are_retried(kind: type[SparkTestError], calls: int) -> None:
    made = 0

    def fails_twice() -> str:
        nonlocal made
        made += 1
        if made < 3:
            raise kind("because")
        return "done"

    if kind.retryable:
        assert waiting.retry(fails_twice) == "done"
    else:
        with pytest.raises(kind):
            waiting.retry(fails_twice)
    assert made == calls


def test_a_wait_ends_when_the_run_ends(cli: Cli, api: ApiClient) -> None:
    run = api.create_run({"name": "live", "image": "i"})
    ending = threading.Timer(0.1, api.report_run, (run.id, RunReport(status=Status.SUCCEEDED)))
    ending.start()

    assert cli("wait", run.id).code == 0
    ending.join()
