"""What a container runtime writes into the log of a program that it cannot execute. Pure.

runc and crun start the container first and execute the program inside it. If the kernel refuses,
the container ends with exit code 1 and this sentence is its whole log, as if a test had printed it.
"""

import re
from collections.abc import Mapping
from typing import Any

from sparktest.domain import Run
from sparktest.kube.pod_template import test_container

EXIT_CODE = 1
_ERROR = r"(?:exec format error|argument list too long|permission denied|no such file or directory)"
_SENTENCES = (
    # runc since 1.1
    re.compile(rf"exec (?P<program>.+): {_ERROR}"),
    # runc before 1.1
    re.compile(rf'standard_init_linux\.go:\d+: exec user process caused:? "?{_ERROR}"?'),
    # crun
    re.compile(
        r'(?:\{"msg":")?exec container process (?:\([^)]*\) )?'
        rf'`(?P<program>[^`]+)`: {_ERROR}(?:".*)?',
        re.IGNORECASE,
    ),
)


def exec_error(log: str, run: Run) -> str | None:
    """Return the runtime's sentence if it is the whole log of the run's test container.

    It must name the program that the run executes, as far as that is known: a test may print the
    sentence about another program.
    """
    line = log.strip("\r\n")
    found = next((match for each in _SENTENCES if (match := each.fullmatch(line))), None)
    if found is None:
        return None
    named, program = found.groupdict().get("program"), _program(run)
    same = not named or not program or _base(named) == _base(program)
    return line if same else None


def _program(run: Run) -> str | None:
    """Return the program that the test container executes; None if only its image knows."""
    if run.commands:
        return "sh"
    command = run.entrypoint or _template_command(run.template)
    # Kubernetes expands `$(NAME)`.
    return None if not command or "$" in str(command[0]) else str(command[0])


def _template_command(template: Mapping[str, Any]) -> list[Any]:
    command = (test_container(template) or {}).get("command")
    return command if isinstance(command, list) else []


def _base(path: str) -> str:
    return path.rpartition("/")[2]
