import json
import shlex

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.cli import program
from sparktest.cli.candidates import SAFE, candidates, help_of
from sparktest.client import ApiClient
from sparktest.domain import RunReport, Status
from tests.scripted import answer, problem, scripted_api


class Thing:
    """Something with an id and a name."""

    def __init__(self, id_: str, name: str) -> None:
        self.id = id_
        self.name = name


def values(incomplete: str, *things: Thing) -> list[str]:
    return [item.value for item in candidates([(thing, "about") for thing in things], incomplete)]


def completed(*args: str, incomplete: str = "") -> list[str]:
    """What the command line offers behind these words."""
    context = program.make_context("sparktest", list(args), resilient_parsing=True)
    command: click.Command = program
    words = list(args)
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
        context = command.make_context(
            command.name, list(words), parent=context, resilient_parsing=True
        )
    argument = next(each for each in command.params if isinstance(each, click.Argument))
    return [item.value for item in argument.shell_complete(context, incomplete)]


def test_a_name_that_one_thing_has_stands_for_it() -> None:
    things = [Thing("aa11", "smoke"), Thing("bb22", "twice"), Thing("bc33", "twice")]

    assert values("", *things) == ["smoke", "bb22", "bc33"]
    assert values("s", *things) == ["smoke"]
    assert values("b", *things) == ["bb22", "bc33"]
    assert values("aa", *things) == ["aa11"]
    assert values("x", *things) == []


def test_letters_that_begin_an_id_by_chance_do_not_hide_a_name() -> None:
    things = [Thing("face1234", "other"), Thing("aa11", "failing")]

    assert values("fa", *things) == ["failing"]
    assert values("fac", *things) == ["face1234"]
    assert values("face", *things, Thing("bb22", "facet")) == ["facet", "face1234"]


HOSTILE = [
    "$(touch pwned)",
    "`id`",
    "a;b",
    "a b",
    "a|b",
    "a&b",
    "a>b",
    "*",
    "~",
    "-rf",
    "a\nb",
    "a\tb",
    "'",
    '"',
    "a\\b",
    "#a",
    "!x",
    "{a,b}",
    "a,b",
    "a:b",
    "\x1b[31m",
    "naïve",
    "",
    "\u202eabc",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_a_shell_could_read_otherwise_is_never_a_candidate(name: str) -> None:
    assert values("", Thing("aa11", name)) == ["aa11"]


@given(st.text())
def test_a_candidate_is_one_word_of_a_shell(name: str) -> None:
    for value in values("", Thing("aa11", name)):
        assert shlex.split(value) == [value] == [shlex.quote(value)]
        assert SAFE.fullmatch(value)


@given(st.text())
def test_a_help_is_one_short_line_without_what_steers_a_shell(text: str) -> None:
    said = help_of(text, "x")

    assert len(said) <= 60
    assert not set(said) & set("\n\t\r,:$`\\\"'%*[](){}|;&<>~#!\x1b")


def test_each_command_offers_what_it_can_work_on(api: ApiClient) -> None:
    api.create_definition({"name": "suite-a", "image": "i"})
    for name, status in (("done", Status.SUCCEEDED), ("busy", Status.RUNNING)):
        run = api.create_run({"name": name, "image": "i"})
        api.report_run(run.id, RunReport(status=status))

    assert completed("logs") == ["busy", "done"]
    assert completed("cancel") == ["busy"]
    assert completed("delete") == ["done"]
    assert completed("run") == completed("definitions", "edit") == ["suite-a"]
    assert completed("show", "busy", incomplete="do") == ["done"]
    assert completed("show", "busy") == ["done"]


def test_namespaces_and_labels_come_from_the_runs(api: ApiClient) -> None:
    api.create_run({"name": "a", "image": "i", "labels": {"team": "x", "day": "$(id)"}})
    runs = program.commands["runs"]
    context = runs.make_context("runs", [], resilient_parsing=True)
    options = {option.name: option for option in runs.params}

    def offered(name: str) -> list[str]:
        return [item.value for item in options[name].shell_complete(context, "")]

    assert offered("namespace") == ["tests"]
    assert offered("label") == ["day", "team"]
    assert offered("status")[:2] == ["pending", "running"]


def test_an_api_that_is_away_or_refuses_offers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_api() as scripted:
        monkeypatch.setenv("SPARKTEST_BACKEND_URL", scripted.url)
        scripted.scripts = [problem(401, detail="no token"), answer({"not": "a list"})]
        assert completed("logs") == []
        assert completed("logs") == []
    assert completed("logs") == []
    monkeypatch.setenv("SPARKTEST_PORT", "no port")
    assert completed("logs") == []


def test_escapes_in_a_name_reach_no_shell() -> None:
    run = {
        "id": "17",
        "name": "\x1b]0;pwned\x07x",
        "status": "running",
        "origin": "api",
        "createdAt": "2026-01-02T03:04:05Z",
    }
    with scripted_api() as scripted:
        scripted.scripts = [answer([run])]
        context = program.commands["logs"].make_context(
            "logs", ["--backend-url", scripted.url], resilient_parsing=True
        )
        argument = next(p for p in program.commands["logs"].params if p.name == "reference")
        (item,) = argument.shell_complete(context, "")

    assert json.dumps(item.value) == '"x"'
