import pytest

from sparktest.tui.theme import DARK, default_theme


@pytest.mark.parametrize(
    ("color_system", "theme"),
    [
        ("truecolor", DARK.name),
        ("256", DARK.name),
        ("standard", "ansi-dark"),
        ("windows", "ansi-dark"),
        (None, "ansi-dark"),
    ],
)
def test_a_terminal_with_16_colours_gets_the_ansi_theme(color_system, theme):
    assert default_theme(color_system) == theme
