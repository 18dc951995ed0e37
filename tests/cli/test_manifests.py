from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import pytest

from sparktest.cli.crd import EXAMPLES
from sparktest.cli.manifests import read_object, read_testruns

HEAD = "apiVersion: sparktest.dev/v1alpha1\nkind: TestRun\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.yaml"


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_a_run(name: str) -> None:
    (body,) = read_testruns(Path(str(files("sparktest.crd") / "examples" / f"{name}.yaml")))

    assert body["name"]
    assert "image" in body or "definitionName" in body


def test_a_manifest_becomes_the_body_of_a_run(path: Path) -> None:
    path.write_text(
        f"{HEAD}metadata: {{generateName: nightly-, labels: {{a: b}}}}\n"
        "spec: {image: i, cancelled: true, timeoutSeconds: 3}\n---\n"
    )

    assert read_testruns(path) == [
        {"name": "nightly", "labels": {"a": "b"}, "image": "i", "timeoutSeconds": 3}
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 2026-01-02", {"a": "2026-01-02"}),
        ("a: 2026-01-02T03:04:05Z", {"a": "2026-01-02T03:04:05Z"}),
        ('{"a": [1, true, null, "x"]}', {"a": [1, True, None, "x"]}),
        ("1: a", {"1": "a"}),
    ],
)
def test_yaml_is_read_as_kubectl_does(path: Path, text: str, found: Any) -> None:
    path.write_text(text)

    assert read_object(path) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "exactly one object, not 0"),
        (b"a: 1\n---\nb: 2", "exactly one object, not 2"),
        (b"- a", "exactly one object"),
        (b"a: [", "is not YAML"),
        (b"a: \x00", "is not YAML"),
        (b"\xff\xfe\xfa", "is not UTF-8"),
        (b"a: .nan", "not valid in JSON"),
        (b"a: !!binary aGk=", "not valid in JSON"),
        (b"a: &b [*b]", "not valid in JSON"),
        (b"? [a]\n: b", "is not YAML|not valid in JSON"),
        (b"a: !!python/object/apply:os.system [x]", "is not YAML"),
        (b"[" * 5000, "is not YAML|not valid in JSON"),
    ],
)
def test_a_file_that_json_cannot_represent_is_named(path: Path, text: bytes, problem: str) -> None:
    path.write_bytes(text)

    with pytest.raises(click.UsageError, match=problem) as raised:
        read_object(path)

    assert str(path) in raised.value.message


@pytest.mark.parametrize(
    "text",
    [
        "kind: TestRun",
        f"apiVersion: k6.io/v1alpha1\n{HEAD.splitlines()[1]}",
        HEAD,
        f"{HEAD}metadata: x\nspec: {{}}",
        f"{HEAD}metadata: {{}}\nspec: []",
    ],
)
def test_other_kinds_than_testrun_are_refused(path: Path, text: str) -> None:
    path.write_text(text)

    with pytest.raises(click.UsageError, match=r"is not a TestRun|must be objects"):
        read_testruns(path)


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(click.UsageError, match="No such file"):
        read_object(path)
    with pytest.raises(click.UsageError, match="Is a directory"):
        read_object(path.parent)
