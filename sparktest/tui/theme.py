"""The colours that the terminal UI starts with."""

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
