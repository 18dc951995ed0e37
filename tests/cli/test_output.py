import io
import json
import sys
import unicodedata
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparktest.cli import output
from sparktest.cli.output import FORMATS, Column, cut, fit, plain, show, width
from sparktest.domain import K8sRef, Log, Origin, Run, Status

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COLUMNS: list[Column[Run]] = [
    Column("ID", lambda run: run.id),
    Column("STATUS", lambda run: run.status.value, colour=lambda run: "green"),
    Column("JOB", lambda run: run.job_name, wide=True),
    Column("NAME", lambda run: run.name),
]


def named(name: str, run_id: str = "1") -> Run:
    return Run(id=run_id, name=name, status=Status.PENDING, origin=Origin.API, created_at=NOW)


def test_a_table_has_titles_and_one_line_per_value(capsys: pytest.CaptureFixture[str]) -> None:
    show([named("one"), named("two", "1234")], COLUMNS, "table")

    assert capsys.readouterr().out == (
        "ID     STATUS    NAME\n1      pending   one\n1234   pending   two\n"
    )


def test_an_empty_table_has_titles(capsys: pytest.CaptureFixture[str]) -> None:
    show([], COLUMNS, "table")

    assert capsys.readouterr().out == "ID   STATUS   NAME\n"


def test_wide_shows_every_column_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    long = "n" * 200

    show([named(long)], COLUMNS, "wide")
    assert capsys.readouterr().out == f"ID   STATUS    JOB   NAME\n1    pending   -     {long}\n"

    show([named(long)], COLUMNS, "table")
    assert capsys.readouterr().out.splitlines()[1] == f"1    pending   {'n' * 47}…"


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4))
def test_every_value_is_one_line(names: list[str]) -> None:
    rows = [output._cell(name, cut_long=True) for name in names]
    widths = [max(map(output.width, rows))]

    for row in rows:
        assert output.width(row) <= 48
        assert len(row.splitlines()) == 1
        assert output.width(output._line([row, ""], [*widths, 0], COLUMNS[:2])) == widths[0] + 3


def test_wide_characters_take_two_cells(capsys: pytest.CaptureFixture[str]) -> None:
    columns: list[Column[Run]] = [Column("NAME", lambda run: run.name), COLUMNS[0]]

    show([named("스파크"), named("cafe\u0301x")], columns, "table")

    assert capsys.readouterr().out == "NAME     ID\n스파크   1\ncafe\u0301x    1\n"


def test_json_and_yaml_have_every_field_with_its_wire_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Run(
        id="1",
        name="n",
        status=Status.FAILED,
        origin=Origin.CRD,
        created_at=NOW,
        k8s_ref=K8sRef(namespace="a", name="b"),
        log=Log(bytes=3),
    )

    show([run], COLUMNS, "json", one=True)
    document = json.loads(capsys.readouterr().out)
    show([run], COLUMNS, "yaml", one=True)

    assert yaml.safe_load(capsys.readouterr().out) == document == plain(run)
    assert set(document) == set(Run.__struct_encode_fields__)
    assert document["k8sRef"] == {"namespace": "a", "name": "b", "uid": None}
    assert document["timeoutSeconds"] == 3600
    assert document["log"] == {"state": "none", "reason": None, "bytes": 3}
    assert document["createdAt"] == "2026-01-02T03:04:05Z"


def test_a_list_of_one_or_no_value_is_still_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    show([named("n")], COLUMNS, "json")
    assert len(json.loads(capsys.readouterr().out)) == 1
    show([], COLUMNS, "yaml")
    assert capsys.readouterr().out == "[]\n"


def test_the_format_name_prints_ids(capsys: pytest.CaptureFixture[str]) -> None:
    show([named("a", "17"), named("b", "18")], COLUMNS, "name")

    assert capsys.readouterr().out == "17\n18\n"


class Terminal(io.StringIO):
    """A stdout that is a terminal."""

    def isatty(self) -> bool:
        return True


def shown_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, run: Run, columns: list[Column[Run]], **environ: str
) -> str:
    for name, value in {"COLUMNS": "200", "TERM": "xterm", **environ}.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    show([run], columns, "table")
    return terminal.getvalue()


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "dumb", "CLICOLOR_FORCE": "1"}, True),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False),
    ],
    ids=str,
)
def test_colour_depends_on_the_terminal_and_the_environment(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], coloured: bool
) -> None:
    out = shown_on_a_terminal(monkeypatch, named("n"), COLUMNS, **environ)

    assert ("\x1b[32mpending" in out) == coloured


def test_a_pipe_gets_colour_only_when_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for value, coloured in (("0", False), ("1", True)):
        monkeypatch.setenv("CLICOLOR_FORCE", value)
        show([named("n")], COLUMNS, "table")

        assert ("\x1b[32mpending" in capsys.readouterr().out) == coloured


def test_a_table_fits_into_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [
        COLUMNS[0]._replace(min_width=8, is_id=True),
        COLUMNS[1],
        COLUMNS[3]._replace(min_width=4),
    ]

    run = named("a long name", "12345678-1234")

    out = shown_on_a_terminal(monkeypatch, run, columns, COLUMNS="30", NO_COLOR="1")

    assert out.splitlines() == ["ID         STATUS    NAME", "12345678   pending   a long n…"]


def test_a_pipe_gets_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    for form in FORMATS:
        show([named("n")], COLUMNS, form)
        assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("widths", "min_widths", "line_width", "fitted"),
    [
        ([10, 5], [0, 0], 8, [10, 5]),
        ([10, 5], [4, 4], 18, [10, 5]),
        ([10, 5], [4, 4], 17, [9, 5]),
        ([10, 5], [4, 4], 12, [4, 5]),
        ([10, 5], [4, 4], 3, [4, 4]),
        ([10, 12], [4, 0], 20, [5, 12]),
    ],
)
def test_the_widest_column_is_cut_first_and_none_below_its_minimum(
    widths: list[int], min_widths: list[int], line_width: int, fitted: list[int]
) -> None:
    columns = [COLUMNS[0]._replace(min_width=cells) for cells in min_widths]

    assert fit(widths, columns, line_width) == fitted


@given(st.text(), st.integers(1, 40))
def test_a_text_that_is_cut_is_not_wider_than_asked_for(text: str, line_width: int) -> None:
    short = cut(text, line_width)

    assert width(short) <= line_width
    assert short == text or (short[-1] == "…" and text.startswith(short[:-1]))


def test_wide_characters_are_not_cut_in_half() -> None:
    assert cut("스파크", 6) == "스파크"
    assert cut("스파크", 5) == "스파…"
    assert cut("스파크", 4) == "스…"
    assert width(cut("e\u0301" * 9, 5)) == 5


def test_an_id_that_is_cut_is_still_an_id_prefix() -> None:
    assert cut("12345678-1234", 8, "") == "12345678"
    assert unicodedata.east_asian_width("…") == "A"


def test_an_id_column_is_cut_to_8_characters_at_once() -> None:
    columns = [COLUMNS[0]._replace(min_width=8, is_id=True), COLUMNS[3]._replace(min_width=6)]

    assert fit([36, 20], columns, 58) == [8, 20]
    assert fit([36, 20], columns, 30) == [8, 19]
    assert fit([36, 20], columns, 80) == [36, 20]
