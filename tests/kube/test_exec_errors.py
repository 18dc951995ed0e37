"""What runc and crun write into the log of a program that cannot be executed."""

from string import printable
from typing import Any

import pytest

from sparktest.kube.exec_errors import exec_error
from tests.kube.objects import a_run

RUNC = "exec /bin/runner: exec format error"
OLD_RUNC = "standard_init_linux.go:228: exec user process caused: exec format error"
CRUN = (
    '{"msg":"exec container process `/bin/runner`: Exec format error",'
    '"level":"error","time":"2026-11-24T12:00:00.25Z"}'
)


@pytest.mark.parametrize(
    "sentence",
    [
        RUNC,
        "exec /bin/runner: argument list too long",
        "exec /bin/runner: permission denied",
        "exec /bin/runner: no such file or directory",
        "exec /my tools/a: b/runner: no such file or directory",
        OLD_RUNC,
        'standard_init_linux.go:190: exec user process caused "exec format error"',
        CRUN,
        "exec container process (missing library?) `/bin/runner`: No such file or directory",
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_sentence_of_a_runtime_is_recognized(sentence: str, end: str) -> None:
    assert exec_error(sentence + end, a_run()) == sentence


@pytest.mark.parametrize(
    "log",
    [
        "",
        f"starting\n{RUNC}\n",
        f"{RUNC}\nbye\n",
        f"{RUNC}\n{RUNC}\n",
        f" {RUNC}",
        f"fork/{RUNC}",
        "exec /bin/runner: out of memory",
        OLD_RUNC.replace(".go", "-go"),
        "exec container process `/bin/runner`: Exec format error, twice",
        "sh: exec: line 0: /bin/runner: Permission denied",
        "/bin/sh: 1: exec: /bin/runner: Exec format error",
    ],
)
def test_other_logs_are_those_of_a_test(log: str) -> None:
    assert exec_error(log, a_run()) is None


def test_only_line_ends_may_surround_the_sentence() -> None:
    others = set(printable) - set("\r\n")
    assert [char for char in others if exec_error(f"{char}{RUNC}", a_run())] == []


def of_template(*command: Any, **container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "t", "command": list(command), **container}]}}


@pytest.mark.parametrize(
    ("fields", "log"),
    [
        ({"entrypoint": ("runner",)}, RUNC),
        ({"entrypoint": ("./runner", "-v")}, RUNC),
        ({"entrypoint": ("$(TOOL)", "-v")}, RUNC),
        ({"entrypoint": ("/bin/runner",)}, OLD_RUNC),
        ({"args": ("-v",)}, RUNC),
        ({"template": of_template("/bin/runner")}, RUNC),
        ({"template": {"spec": {"containers": [{"name": "t", "command": "odd"}]}}}, RUNC),
        ({"template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}}, RUNC),
        ({"template": of_template(7)}, "exec 7: exec format error"),
        ({"template": of_template("/no"), "entrypoint": ("/bin/runner",)}, RUNC),
        ({"commands": ("x",)}, "exec /bin/sh: argument list too long"),
        ({"commands": ("x", "y")}, "exec /usr/bin/sh: exec format error"),
    ],
)
def test_the_sentence_must_name_the_program_of_the_run(fields: dict[str, Any], log: str) -> None:
    assert exec_error(log, a_run(**fields)) == log


@pytest.mark.parametrize(
    "fields",
    [
        {"commands": (f"echo '{RUNC}'; exit 1",)},
        {"entrypoint": ("sh", "-c", f"echo '{RUNC}'; exit 1")},
        {"entrypoint": ("pytest", "$HOME")},
        {"template": of_template("pytest")},
        {"template": of_template("/bin/runner"), "commands": ("x",)},
    ],
)
@pytest.mark.parametrize("log", [RUNC, CRUN])
def test_a_test_that_prints_the_sentence_about_another_program_is_a_test(
    fields: dict[str, Any], log: str
) -> None:
    assert exec_error(log, a_run(**fields)) is None
