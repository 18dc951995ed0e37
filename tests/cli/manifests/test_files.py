import io
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from sparktest.cli.manifests.files import read_documents, read_object


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.yaml"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 2026-01-02", {"a": "2026-01-02"}),
        ("a: 2026-01-02T03:04:05Z", {"a": "2026-01-02T03:04:05Z"}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: 80:80.5", {"a": "80:80.5"}),
        ("a: =", {"a": "="}),
        ("a: [0644, 1_000, -3, 1.5, 0x1f]", {"a": [420, 1000, -3, 1.5, 31]}),
        ('{"a": [1, true, null, "x"]}', {"a": [1, True, None, "x"]}),
        ("1: a", {"1": "a"}),
        ("b: &b {c: 1, d: 1}\na: {<<: *b, c: 2}", {"a": {"c": 2, "d": 1}, "b": {"c": 1, "d": 1}}),
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
        (b"a: [b\n c: {\n", "is not YAML: line 2, column 3: expected"),
        (b"a: \x00", "is not YAML"),
        (b"a: {b: 1, c: 2, b: 3}", "the key 'b' occurs twice"),
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


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(click.UsageError, match="No such file"):
        read_object(path)
    with pytest.raises(click.UsageError, match="Is a directory"):
        read_object(path.parent)


def test_every_document_and_item_of_a_list_has_a_place(path: Path) -> None:
    path.write_text(
        "---\nkind: Job\nmetadata: {name: a}\n---\n# nothing\n---\n"
        "kind: List\nitems: [{kind: Pod, metadata: {generateName: b-}}, 5]\n---\n"
        "kind: Shelf\nitems: []\n"
    )

    found = read_documents([path])

    assert [place for place, _ in found] == [
        f"{path}: document 1 (Job a)",
        f"{path}: document 2, item 1 (Pod b-)",
        f"{path}: document 2, item 2",
        f"{path}: document 3 (Shelf)",
    ]
    assert found[2].content == 5


def test_a_folder_is_read_as_its_manifests_by_name(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.json", "README.md"):
        (tmp_path / name).write_text(f'{{"kind": "{name}"}}')
    (tmp_path / "deeper.yaml").mkdir()
    other = tmp_path / "README.md"

    found = read_documents([tmp_path, other])

    assert [content["kind"] for _, content in found] == ["a.yml", "b.yaml", "c.json", "README.md"]


def test_stdin_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{kind: Job}")))

    assert [place for place, _ in read_documents([Path("-")])] == ["-: document 1 (Job)"]
    with pytest.raises(click.UsageError, match="-: has no object"):
        read_documents([Path("-")])


def test_every_file_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("kind: [")
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    (tmp_path / "c.yaml").write_text("kind: Job")
    (tmp_path / "d.yaml").write_text("# nothing")

    with pytest.raises(click.UsageError, match=r"e\.yaml: No such file"):
        read_documents([tmp_path, tmp_path / "e.yaml"])

    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 3
    assert "a.yaml: is not YAML: line 1" in printed[0]
    assert "b.yaml: is not UTF-8." in printed[1]
    assert "d.yaml: has no object." in printed[2]


def test_a_folder_without_manifests_is_named(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match=r"has no file that ends in \.json"):
        read_documents([tmp_path])
