"""The theme that the terminal UI starts with."""

from textual.theme import Theme

DARK = Theme(
    name="sparktest",
    primary="#4c8dff",
    secondary="#7a88a8",
    accent="#5ec8d8",
    success="#4cc38a",
    warning="#e2b340",
    error="#f0616d",
    foreground="#d6dbe6",
    background="#12151c",
    surface="#181c25",
    panel="#222836",
    dark=True,
)


def default_theme(color_system: str | None) -> str:
    """Return the name of the theme for a color system of Rich.

    A terminal with 16 colours gets Textual's ANSI theme: there, the green and the red of DARK
    would both become white.
    """
    return DARK.name if color_system in ("256", "truecolor") else "ansi-dark"
