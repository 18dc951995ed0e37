import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from sparktest import __version__
from sparktest import cli as cli_module
from sparktest.cli import plugin, start
from sparktest.cli.definitions import definitions
from sparktest.cli.executors import executors
from sparktest.cli.exits import Exit, ExitError
from sparktest.cli.schedules import schedules
from sparktest.cli.suites import suites
from sparktest.client import ApiClient
from tests.cli.conftest import Cli
from tests.scripted_api import answer, problem, scripted_api


def one_line(text: str) -> bool:
    return text.startswith("sparktest: ") and text.count("\n") == 1 and text.endswith("\n")


def program(*args: str, stdout: int = subprocess.PIPE, **environ: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "sparktest", *args],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=os.environ | environ,
    )


def test_version_and_help_exit_with_0(cli: Cli) -> None:
    assert cli("--version") == (0, f"sparktest {__version__}\n", "")
    assert cli("--help").code == 0
    assert cli("-h").out == cli("--help").out


def test_every_command_has_the_short_help_of_the_table(cli: Cli) -> None:
    for program in (cli_module.program, plugin.program):
        context = click.Context(program)
        for name, entry in program.table.items():
            command = program.get_command(context, name)
            assert command is not None
            assert command.get_short_help_str(120) == entry.short_help
            assert entry.short_help.endswith(".")
    for name in cli_module.program.table:
        assert cli(name, "--help").code == 0
        assert f"  {name}" in cli("--help").out


@pytest.mark.parametrize(
    "group", [definitions, executors, schedules, suites], ids=lambda group: group.name
)
def test_every_option_about_what_to_run_has_a_help_text(group: click.Group) -> None:
    for command in (start.run, start.rerun, *group.commands.values()):
        options = [found for found in command.params if isinstance(found, click.Option)]

        assert [found.name for found in options if not found.help] == []


def test_messages_of_wrong_usage_end_with_a_full_stop(cli: Cli) -> None:
    for args in (["runs", "--since", "soon"], ["run", "--image", "i", "-e", "FOO"]):
        assert ". See: sparktest run" in cli(*args).err


def test_no_arguments_print_the_help_and_are_wrong_usage(cli: Cli) -> None:
    result = cli()

    assert (result.code, result.out) == (2, "")
    assert "Usage: sparktest" in result.err
    assert cli("definitions").code == 2


@pytest.mark.parametrize(
    "args",
    [
        ["rnus"],
        ["runs", "--statsu", "failed"],
        ["runs", "--limit", "0"],
        ["wait"],
        ["runs", "--backend-url", "ftp://h"],
        ["run", "--timeout", "soon"],
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(cli: Cli, args: list[str]) -> None:
    result = cli(*args)

    assert (result.code, result.out) == (2, "")
    assert one_line(result.err)
    assert "--help" in result.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "--timeout", "abc"], "'--timeout': 'abc' is not a whole number."),
        (["run", "--timeout", "0"], "'--timeout': must be at least 1."),
        (["runs", "--limit", "1.5"], "'--limit': '1.5' is not a whole number."),
        (["logs", "x", "--tail", "-1"], "'--tail': must be at least 0."),
        (["api", "--port", "65536"], "'--port': must be at most 65535."),
    ],
)
def test_a_wrong_number_is_explained(cli: Cli, args: list[str], message: str) -> None:
    assert f"Invalid value for {message} See: " in cli(*args).err


def test_an_option_without_its_value_names_the_help_of_its_command(cli: Cli) -> None:
    assert cli("run", "--image").err.endswith(" See: sparktest run --help\n")
    assert cli("definitions", "create", "--image").err.endswith(
        " See: sparktest definitions create --help\n"
    )
    assert cli("runs", "--statsu").err.endswith(" See: sparktest runs --help\n")


def test_an_argument_that_is_not_utf_8_is_wrong_usage(cli: Cli) -> None:
    result = cli("runs", "-q", os.fsdecode(b"\xff"))

    assert result.code == 2
    assert one_line(result.err)


def test_an_unreachable_api_is_6(cli: Cli) -> None:
    with scripted_api() as gone:
        url = gone.url

    result = cli("runs", "--backend-url", url)

    assert result.code == 6
    assert one_line(result.err)
    assert url in result.err


def test_a_server_that_is_not_an_api_is_6(cli: Cli) -> None:
    with scripted_api() as foreign:
        foreign.scripts = [answer(body=b"", status=404, headers={"Content-Type": "text/html"})]
        result = cli("runs", "--backend-url", foreign.url)
        doctor = cli("doctor", "--backend-url", foreign.url)

    assert result.code == 6
    assert result.err == f"sparktest: {foreign.url} is not a SparkTest API (HTTP 404)\n"
    assert doctor.code == 6
    assert f"{foreign.url} is not a SparkTest API (HTTP 404)" in doctor.out


def test_a_missing_token_is_3(cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARKTEST_TOKEN")

    result = cli("runs")

    assert (result.code, result.out) == (3, "")
    assert result.err == (
        "sparktest: the API requires a token, but SPARKTEST_TOKEN and SPARKTEST_TOKEN_FILE are not "
        "set\n"
    )


def test_a_wrong_token_is_3_and_its_source_is_named(
    cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPARKTEST_TOKEN", "wrong")
    from_variable = cli("runs")
    monkeypatch.delenv("SPARKTEST_TOKEN")
    (tmp_path / "token").write_text("wrong")
    monkeypatch.setenv("SPARKTEST_TOKEN_FILE", str(tmp_path / "token"))
    from_file = cli("show", "1234")

    message = "sparktest: the API rejected the token from {}: it is unknown, expired or revoked\n"
    assert from_variable == (3, "", message.format("SPARKTEST_TOKEN"))
    assert from_file == (3, "", message.format("SPARKTEST_TOKEN_FILE"))


def test_an_invalid_setting_is_3(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKTEST_PORT", "many")
    for args in (["runs"], ["config"], ["up"], ["api"]):
        result = cli(*args)

        assert result.code == 3
        assert result.err == "sparktest: SPARKTEST_PORT: must be a port, 0 to 65535\n"


def test_every_wrong_field_is_named_on_one_line(cli: Cli) -> None:
    errors = [{"pointer": "/name", "detail": "too\nlong"}, {"pointer": "/env/A", "detail": "no"}]
    with scripted_api() as api:
        api.scripts = [problem(422, detail="2 fields", errors=errors)]
        result = cli("run", "--image", "i", "--backend-url", api.url)

    assert result == (2, "", "sparktest: name: too long; env/A: no\n")


def test_escape_sequences_in_arguments_are_not_printed(cli: Cli) -> None:
    for args in (["runs", "--\x1b]0;x\x07y"], ["show\x1b[31m"], ["run", "-f", "\x1b[2J/nope"]):
        result = cli(*args)

        assert result.code == 2
        assert one_line(result.err)
        assert "\x1b" not in result.err


def test_warnings_of_the_api_are_printed_without_escape_sequences(cli: Cli) -> None:
    with scripted_api() as api:
        api.scripts = [answer([], headers={"Warning": '299 - "old\\u001b[2J client"'})]
        result = cli("runs", "-o", "json", "--backend-url", api.url)

    assert result == (0, "[]\n", "sparktest: old client\n")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (ExitError("so\nit is", Exit.CANCELLED), 5, "so it is"),
        (OSError(28, "No space left on device"), 3, "No space left on device"),
        (PermissionError(13, "Permission denied", "/x"), 3, "/x: Permission denied"),
        (TypeError("odd"), 3, "this is a bug in SparkTest, please report it: TypeError: odd at "),
    ],
    ids=["interrupt", "exit", "disk", "file", "bug"],
)
def test_every_error_is_one_line_without_a_traceback(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    def fail(**kw: object) -> None:
        raise error

    command = cli_module.program.get_command(click.Context(cli_module.program), "config")
    monkeypatch.setattr(command, "callback", fail)

    result = cli("config")

    assert (result.code, result.out) == (code, "")
    assert one_line(result.err)
    assert result.err.startswith(f"sparktest: {text}")


# --- as a process ---------------------------------------------------------------------------------


def test_the_exit_code_reaches_the_shell() -> None:
    process = program("runs", "--nonsense")

    assert process.communicate()[0] == b""
    assert process.returncode == 2


@pytest.mark.parametrize("args", [["crd"], ["--help"], ["--version"]], ids=" ".join)
def test_a_closed_pipe_is_no_error_message(args: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = program(*args, stdout=writing)
    os.close(writing)

    assert process.communicate()[1] == b""
    assert process.returncode == 141


@pytest.mark.parametrize("args", [["runs"], ["show", "one"], ["logs", "one"], ["crd"], ["doctor"]])
def test_commands_work_without_stdout(api: ApiClient, args: list[str]) -> None:
    api.create_run({"name": "one", "image": "i"})
    line = f"{shlex.join([sys.executable, '-m', 'sparktest', *args])} >&-"

    ended = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)

    assert "bug" not in ended.stderr
    assert ended.returncode == (3 if args == ["doctor"] else 0)


def test_a_character_outside_the_encoding_becomes_a_question_mark(api: ApiClient) -> None:
    api.create_run({"name": "naïve ✓", "image": "i"})

    process = program("runs", PYTHONIOENCODING="latin-1")
    out, err = process.communicate()

    assert (process.returncode, err) == (0, b"")
    assert b"na\xefve ?" in out


def test_ctrl_c_is_130_without_a_traceback(api: ApiClient) -> None:
    run = api.create_run({"name": "endless", "image": "i"})
    process = program("wait", run.id, stdout=subprocess.DEVNULL)
    assert process.stderr is not None
    # The first line shows that it is waiting.
    assert b"endless pending" in process.stderr.readline()

    process.send_signal(signal.SIGINT)

    assert process.wait(60) == 130
    lines = process.stderr.read().decode().splitlines()
    process.stderr.close()
    assert lines[0].startswith("sparktest: endless continues; see: sparktest wait")
    assert lines[1:] == ["sparktest: interrupted"]
