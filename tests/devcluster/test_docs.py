"""docs/devcluster.md matches the code."""

import re
from pathlib import Path

from sparktest.devcluster.kinds import BUILT_IN, VERBS
from sparktest.devcluster.openapi import VERSION
from sparktest.devcluster.simulate import IMAGES, PREFIX, Simulation
from tests.devcluster.parity import DIFFERENCES

PAGE = (Path(__file__).parents[2] / "docs" / "devcluster.md").read_text(encoding="utf-8")


def rows(header: str) -> dict[str, str]:
    """Return the rows of the table with this header: first cell to second."""
    table = re.search(rf"^\| {header} \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table, header
    return dict(re.findall(r"^\| (.+?) \| (.*) \|$", table[1], re.MULTILINE))


def becomes(pretence: Simulation) -> str:
    if pretence.waiting:
        return f"waits: {', '.join(pretence.waiting)}"
    if pretence.unschedulable:
        return "has no node: Unschedulable"
    if pretence.fails_pod:
        return f"pod fails: {pretence.reason}"
    return f"container ends with {pretence.exit_code}: {pretence.reason}"


def test_the_page_describes_each_simulated_image() -> None:
    documented = {f"`{PREFIX}{name}`": becomes(pretence) for name, pretence in IMAGES.items()}
    assert rows("image") == documented


def test_the_page_lists_each_difference_that_the_comparison_ignores() -> None:
    assert set(rows("what")) == set(DIFFERENCES)
    assert rows("what")["version"] == f"`{VERSION['gitVersion']}`"


def test_the_page_lists_each_kind_with_its_verbs() -> None:
    documented = {
        name: verbs for names, verbs in rows("kind").items() for name in names.split(", ")
    }
    assert set(documented) == {kind.kind for kind in BUILT_IN}
    for kind in BUILT_IN:
        verbs = sorted(documented[kind.kind].partition(";")[0].split(", "))
        expected = ["all"] if len(kind.verbs) >= len(VERBS) - 1 else sorted(kind.verbs)
        assert verbs == expected, kind.kind
