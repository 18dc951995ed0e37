"""Commands and packages import only the libraries that they need."""

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import sparktest

HEAVY = {
    "alembic",
    "flask",
    "flask_smorest",
    "gunicorn",
    "kubernetes",
    "marshmallow",
    "requests",
    "rich",
    "sqlalchemy",
    "textual",
    "urllib3",
    "werkzeug",
    "yaml",
}
PROBE = """
import io, json, sys
stdout, sys.stdout = sys.stdout, io.StringIO()
{statement}
names = {{name.partition(".")[0] for name in sys.modules}}
print(json.dumps(sorted(names)), file=stdout)
"""
MAX_LINES = 300


def loaded_by(statement: str, tmp_path: Path) -> set[str]:
    """Return the top-level packages that a statement loads in a new interpreter."""
    answer = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement=statement)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "SPARKTEST_BACKEND_URL": "http://127.0.0.1:9"},
    )
    return set(json.loads(answer.stdout))


def main(*args: str) -> str:
    """Return a statement that runs `sparktest` with these arguments."""
    return f"from sparktest.cli import main; main({list(args)!r})"


def test_the_light_commands_load_no_heavy_library(tmp_path: Path) -> None:
    statements = [
        "import sparktest.cli, sparktest.settings, sparktest.domain, sparktest.kubectl",
        main("--help"),
        main("--version"),
        main("crd"),
        main("nonsense"),
        "from sparktest.cli import plugin; plugin.main(['--help'])",
        "from sparktest.cli.plugin import completion; completion.main(['li'])",
    ]

    assert loaded_by("; ".join(statements), tmp_path) & HEAVY == set()


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import sparktest.kube.jobs, sparktest.kube.outcome", set()),
        (main("config"), {"yaml"}),
        (main("runs"), {"urllib3", "yaml"}),
        (main("completion", "bash"), {"urllib3"}),
        (main("tui", "--help"), {"urllib3"}),
        (main("api", "--help"), {"urllib3"}),
        (main("up", "--help"), {"kubernetes", "requests", "urllib3", "yaml"}),
        (
            "from sparktest.cli.plugin import main; main(['list'])",
            {"kubernetes", "requests", "urllib3", "yaml"},
        ),
        ("import sparktest.controller.app", HEAVY & {"kubernetes", "requests", "urllib3", "yaml"}),
        ("import sparktest.api.server", HEAVY - {"kubernetes", "requests", "rich", "textual"}),
        ("import sparktest.tui.app", {"urllib3", "rich", "textual"}),
    ],
)
def test_a_package_loads_only_its_own_libraries(
    statement: str, allowed: set[str], tmp_path: Path
) -> None:
    assert loaded_by(statement, tmp_path) & HEAVY <= allowed


def test_only_the_dev_cluster_needs_its_extra(tmp_path: Path) -> None:
    extra = ("cel_expr_python", "cryptography", "jsonpatch", "jsonschema_rs", "trustme")
    modules = [
        name
        for _, name, _ in pkgutil.walk_packages(sparktest.__path__, "sparktest.")
        if not name.startswith(("sparktest.devcluster", "sparktest.migrations"))
    ]
    blocked = f"sys.modules.update(dict.fromkeys({extra}))"
    loaded = loaded_by(f"{blocked}; import {', '.join(modules)}", tmp_path)

    assert loaded >= {"flask", "kubernetes", "textual"}


def test_no_module_has_more_than_300_lines() -> None:
    tree = Path(sparktest.__file__).parent
    long = {
        str(path.relative_to(tree)): lines
        for path in tree.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > MAX_LINES
    }

    assert long == {}
