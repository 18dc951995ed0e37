import json

import pytest

from sparktest.client import ApiClient
from tests.cli.conftest import Cli


@pytest.fixture
def smoke(api: ApiClient) -> str:
    return api.definitions.create({"name": "smoke", "image": "busybox", "commands": ["true"]}).id


def add(api: ApiClient, smoke: str, **fields: object) -> str:
    body = {"name": "nightly", "definitionId": smoke, "cron": "0 2 * * *"}
    return api.schedules.create(body | fields).id


def test_a_schedule_is_created_from_options(cli: Cli, api: ApiClient, smoke: str) -> None:
    result = cli(
        *("schedules", "create", "--name", "nightly", "--definition", "smoke"),
        *("--cron", "0 2 * * MON-FRI", "--time-zone", "Europe/Berlin"),
        *("--concurrency", "forbid", "--starting-deadline", "600", "--description", "at night"),
    )

    assert (result.code, result.err) == (0, "")
    made = api.schedules.get(result.out.strip())
    assert (made.name, made.definition_id, made.description) == ("nightly", smoke, "at night")
    assert (made.cron, made.time_zone) == ("0 2 * * MON-FRI", "Europe/Berlin")
    assert (made.concurrency, made.starting_deadline_seconds) == ("forbid", 600)


def test_without_cron_or_definition_nothing_is_sent(cli: Cli, api: ApiClient, smoke: str) -> None:
    result = cli("schedules", "create", "--name", "n", "--definition", "smoke")

    assert result.code == 2
    assert "--cron" in result.err


def test_a_wrong_cron_expression_is_named(cli: Cli, api: ApiClient, smoke: str) -> None:
    result = cli("schedules", "create", "--name", "n", "--definition", "smoke", "--cron", "x")

    assert (result.code, result.out) == (2, "")
    assert "cron: 'x' must have 5 fields" in result.err


def test_the_list_shows_what_starts_when(cli: Cli, api: ApiClient, smoke: str) -> None:
    add(api, smoke)
    add(api, smoke, name="off", enabled=False, timeZone="Europe/Berlin")

    head, off, nightly = cli("schedules", "list").out.splitlines()

    assert head.split("  ")[0] == "ID"
    cron = ["0", "2", "*", "*", "*"]
    expected = ["off", "smoke", *cron, "Europe/Berlin", "disabled", "-", "0"]
    assert off.split()[1:] == expected
    assert nightly.split()[1:8] == ["nightly", "smoke", *cron]
    assert " in " in nightly
    (wide,) = cli("schedules", "get", "nightly", "-o", "wide").out.splitlines()[1:]
    assert "allow" in wide
    (document,) = json.loads(cli("schedules", "list", "-q", "nigh", "-o", "json").out)
    assert document["missedRuns"] == 0


def test_enable_and_disable_change_the_next_due_time(cli: Cli, api: ApiClient, smoke: str) -> None:
    key = add(api, smoke)

    assert "nightly" in cli("schedules", "disable", "nightly").err
    assert api.schedules.get(key).next_run_at is None
    enabled = cli("schedules", "enable", "nightly").err
    next_run_at = api.schedules.get(key).next_run_at
    assert next_run_at is not None
    assert f"{next_run_at:%Y-%m-%dT%H:%M:%SZ}" in enabled


def test_next_prints_due_times(cli: Cli, api: ApiClient, smoke: str) -> None:
    add(api, smoke, enabled=False)

    result = cli("schedules", "next", "nightly", "--count", "3")

    times = result.out.splitlines()
    assert len(times) == 3
    assert all(time.endswith("T02:00:00Z") for time in times)
    assert "sparktest schedules enable nightly" in result.err


def test_run_starts_a_run_now_and_prints_its_id(cli: Cli, api: ApiClient, smoke: str) -> None:
    key = add(api, smoke)

    started = api.get_run(cli("schedules", "run", "nightly").out.strip())

    assert (started.name, started.schedule_id) == ("smoke - nightly", key)
    assert api.schedules.get(key).last_run_id == started.id


def test_update_changes_the_given_fields(cli: Cli, api: ApiClient, smoke: str) -> None:
    key = add(api, smoke, description="old")

    assert cli("schedules", "update", "nightly", "--cron", "@hourly").code == 0

    changed = api.schedules.get(key)
    assert (changed.cron, changed.description) == ("@hourly", "old")


def test_the_output_of_show_can_be_created_again(cli: Cli, api: ApiClient, smoke: str) -> None:
    add(api, smoke, concurrency="replace")
    document = cli("schedules", "show", "nightly").out

    result = cli("schedules", "create", "-f", "-", "--name", "copy", stdin=document)

    assert (result.code, result.err) == (0, "")
    assert api.schedules.get(result.out.strip()).concurrency == "replace"


def test_schedules_are_deleted(cli: Cli, api: ApiClient, smoke: str) -> None:
    add(api, smoke)

    assert cli("schedules", "delete", "nightly").code == 0
    assert api.schedules.list() == ()
    assert cli("schedules", "delete", "nightly").code == 2
