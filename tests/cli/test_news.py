from datetime import UTC, datetime

import pytest

from sparktest.cli import news as news_module
from sparktest.cli.news import News, describe
from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, Origin, Run, RunReport, Status
from tests.cli.process_table import until
from tests.live import TOKEN


def test_every_change_of_a_run_is_a_line(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news_module, "POLL_SECONDS", 0.02)
    lines: list[str] = []

    def told(words: str) -> bool:
        lines.extend(news.lines())
        return any(words in line for line in lines)

    with News(api.url, TOKEN) as news:
        until("the API is there", news.healthy.is_set)
        run = api.create_run({"name": "hello", "image": "i"})
        until("the new run is told", lambda: told("pending"))
        api.report_run(run.id, RunReport(status=Status.RUNNING))
        until("it is told that it runs", lambda: told("running"))
        api.report_run(run.id, RunReport(status=Status.SUCCEEDED))
        until("its end is told", lambda: told("succeeded"))

    assert len(lines) == len(set(lines)) == 3
    assert all(line.startswith(f"{run.id[:8]} api tests/hello ") for line in lines)


def test_what_was_before_is_no_news(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news_module, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(news_module, "OVERLAP", news_module.OVERLAP * 0)
    api.create_run({"name": "old", "image": "i"})

    with News(api.url, TOKEN) as news:
        until("the API is there", news.healthy.is_set)
        run = api.create_run({"name": "new", "image": "i"})
        lines: list[str] = []

        def told() -> bool:
            lines.extend(news.lines())
            return bool(lines)

        until("the new run is told", told)

    assert [line.split()[0] for line in lines] == [run.id[:8]]


def test_a_run_that_ended_badly_says_why_and_when() -> None:
    run = Run(
        id="0123456789",
        name="n\nn",
        namespace="team",
        status=Status.FAILED,
        origin=Origin.CRD,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        duration=3.2,
        failure=Failure(class_=FailureClass.INFRA, reason="OOMKilled"),
    )

    assert describe(run) == "01234567 crd team/n n failed (OOMKilled) in 3s"
