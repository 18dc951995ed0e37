import pytest

from sparktest.cli.editor import edit_text


def test_the_editor_may_have_options_and_visual_comes_before_editor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDITOR", "false")
    monkeypatch.setenv("VISUAL", "sed -i s/old/ä/")

    assert edit_text("old text\n", extension=".yaml") == "ä text\n"


def test_the_file_has_the_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sh -c 'echo $0 > $0'")

    assert edit_text("", extension=".yaml").endswith(".yaml\n")
