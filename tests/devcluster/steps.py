"""Steps: kubectl commands and how their output is compared."""

from typing import NamedTuple


class Step(NamedTuple):
    """One command. All of its output is compared, except with `within` or `fields`.

    Args:
        command: the command line behind kubectl.
        stdin: what -f - reads.
        within: what the dev cluster lists is in what the real one lists.
        fields: so are the names of the fields that it explains.
        lines: it does not end; so many lines of it count.
        meanwhile: what is done once it printed the first line.
    """

    command: str
    stdin: str = ""
    within: bool = False
    fields: bool = False
    lines: int = 0
    meanwhile: tuple[str, ...] = ()


def steps(text: str, **stdin: str) -> list[Step]:
    """Return one step per line; `< name` names the stdin of a step."""
    lines = [line.strip().rpartition(" < ") for line in text.strip().splitlines()]
    return [Step(command, stdin[name]) if command else Step(name) for command, _, name in lines]
