"""README, CONTRIBUTING and docs/ match the code."""

import re
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest
import yaml

from sparktest.cli import plugin, program
from sparktest.cli.exits import Exit
from sparktest.cli.manifests.reading import read_manifests
from sparktest.client import ApiClient
from sparktest.settings import ALIASES, TOKEN_FILE, Settings
from tests.command_lines import problem_of
from tests.live_api import TOKEN, live_api

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# A command between backquotes, and one in a line of a block, up to `|`, `&&` or `)`.
INLINE = re.compile(r"`((?:kubectl )?sparktest [^`\n]+)`")
IN_BLOCK = re.compile(r"(?:^|[ (/])((?:kubectl )?sparktest [a-z][^|&)\n]*)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def commands() -> Iterator[tuple[str, str]]:
    """Yield page and text of every command of SparkTest in the documentation."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in INLINE.findall(text):
            # Of alternatives such as `a|b`, take the first.
            yield page.name, found.split("|")[0]
        for language, block in BLOCK.findall(text):
            for line in block.splitlines() if language in ("", "sh", "console") else ():
                for found in IN_BLOCK.findall(line.partition(" #")[0]):
                    yield page.name, found


@pytest.mark.parametrize(("page", "text"), sorted(set(commands())))
def test_a_command_in_the_documentation_exists_with_its_options(page: str, text: str) -> None:
    assert problem_of(text) == "", f"{page}: {text}"


def test_the_documentation_names_every_command() -> None:
    texts = [text for _, text in commands()]
    named = {text.split()[1] for text in texts if not text.startswith("kubectl ")}
    by_kubectl = {text.split()[2] for text in texts if text.startswith("kubectl ")}
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    for name in program.table:
        assert name in named or f"`{name}`" in changelog, name
    assert by_kubectl == set(plugin.program.table)


def test_the_architecture_names_every_module_once() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (drawing,) = re.findall(r"^```\n(sparktest/\n.*?)^```", text, re.MULTILINE | re.DOTALL)
    named: list[Path] = []
    folder = Path()
    for line in drawing.splitlines():
        name = line.split()[0]
        if name.endswith("/"):
            folder = Path(name)
        else:
            named.append(folder / name)
    package = ROOT / "sparktest"
    modules = [
        path.relative_to(ROOT) for path in package.rglob("*.py") if path.name != "__init__.py"
    ]

    assert sorted(named) == sorted(modules)


def test_what_the_architecture_refers_to_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = "|".join(path.stem for path in (ROOT / "sparktest").iterdir())
    names = re.findall(rf"`((?:{packages})(?:\.\w+)+)`", text)

    assert len(names) > 20
    for name in names:
        resolve_name(f"sparktest.{name.removesuffix('.py')}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_has_a_target(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_exit_codes_of_the_readme_are_those_of_the_program() -> None:
    table = [int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)]

    assert table == [code for code in Exit if code < 128]


def test_the_settings_table_has_every_setting_with_its_default() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(SPARKTEST_\w+)` \| (.*?) \|", text, re.MULTILINE))
    defaults = Settings()

    assert set(rows) == {f"SPARKTEST_{name.upper()}" for name in defaults.__struct_fields__} | {
        TOKEN_FILE
    }
    for name in defaults.__struct_fields__:
        default = getattr(defaults, name)
        if default and name != "namespace":
            assert rows[f"SPARKTEST_{name.upper()}"] == f"`{default}`"
    for field, alias in ALIASES.items():
        assert re.search(rf"SPARKTEST_{field.upper()}.*`{alias}`", text)


def test_the_two_commands_of_the_readme_make_their_own_environment() -> None:
    lines = [line for line in README.splitlines() if "venv .venv" in line]

    assert len(lines) == 2
    assert all(line.startswith("python3 -m venv .venv && .venv/bin/pip install") for line in lines)
    # The demo ends by itself, and needs no cluster.
    assert lines[0].endswith("&& .venv/bin/sparktest demo")
    assert lines[1].endswith(".venv/bin/python -m pytest")
    # CI runs the first line with -m pytest.
    assert next(line for line in README.splitlines() if "-m pytest" in line) == lines[1]


def test_the_testrun_of_the_readme_can_run(tmp_path: Path) -> None:
    (manifest,) = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    path = tmp_path / "testrun.yaml"
    path.write_text(manifest)

    (read,) = read_manifests([path])
    with live_api(tmp_path) as url, ApiClient(url, TOKEN) as client:
        run = client.create_run({"name": read.name, **read.spec})

    spec = yaml.safe_load(manifest)["spec"]
    assert run.commands == tuple(spec["commands"])
    assert run.timeout_seconds == spec["timeoutSeconds"]


def test_the_changelog_has_an_unreleased_section() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert re.search(r"^## \[Unreleased\]\n\n### \w+\n\n- ", text, re.MULTILINE)
