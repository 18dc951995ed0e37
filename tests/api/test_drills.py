"""The drills of bench/drills.py, with small numbers."""

import pytest

from bench import drills
from bench.servers import Api, running
from tests.api import databases


@pytest.fixture(autouse=True)
def busy_machine(monkeypatch):
    """Other tests run at the same time, and make single requests slow."""
    monkeypatch.setattr(drills, "WRITERS", 4)
    monkeypatch.setattr(drills, "READERS", 4)
    monkeypatch.setattr(drills, "MAX_SLOW_RATIO", 5.0)


@pytest.fixture(scope="module")
def apis(tmp_path_factory):
    """Two processes with one database."""
    folder = tmp_path_factory.mktemp("drills")
    url = f"sqlite:///{folder}/drill.db"
    with running(Api(url, folder)) as first, running(Api(url, folder)) as second:
        yield [first, second]


@pytest.mark.parametrize("kind", databases.ENGINES)
def test_no_acknowledged_run_is_lost_or_doubled_when_processes_are_killed(kind, tmp_path):
    with databases.empty(kind, tmp_path) as url, running(Api(url, tmp_path)) as api:
        assert drills.kill(api, 5) == ""


def test_slow_connections_do_not_slow_others_down(apis):
    assert drills.slow(apis[0], 500, 100) == ""


def test_no_request_fails_in_a_rolling_restart(apis):
    assert drills.rolling(apis, 500) == ""


def test_a_lost_run_and_a_doubled_one_are_noticed(apis, capsys):
    first = drills.create(apis[0].url, "one")
    assert first
    assert drills.check_runs(apis[0], {"one": first}) == ""
    assert drills.check_runs(apis[0], {"one": first, "two": "lost"}) != ""
    assert drills.check_runs(apis[0], {"one": "another"}) != ""
