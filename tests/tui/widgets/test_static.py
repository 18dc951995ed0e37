import asyncio

import pytest
from rich.style import Style
from textual.app import App, ComposeResult
from textual.content import Content

from sparktest.tui.widgets.details import FieldTable
from sparktest.tui.widgets.static import CachedStatic


def repaints(first: object, second: object) -> bool:
    """Return True when a CachedStatic that shows `first` repaints to show `second`."""

    class OneStatic(App[None]):
        def compose(self) -> ComposeResult:
            yield CachedStatic()

    async def run_app() -> bool:
        app = OneStatic()
        async with app.run_test() as pilot:
            static = app.query_one(CachedStatic)
            static.update(first)  # type: ignore[arg-type]
            await pilot.pause()
            refreshes: list[object] = []
            static.refresh = lambda *args, **kw: refreshes.append(args)  # type: ignore[assignment]
            static.update(second)  # type: ignore[arg-type]
            return bool(refreshes)

    return asyncio.run(run_app())


def table(value: str) -> FieldTable:
    return FieldTable([("Status", value)], Style(bold=True))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Content.styled("text", "bold"), Content.styled("text", "bold"), False),
        (Content.styled("text", "bold"), Content.styled("text", "red"), True),
        (Content("text"), Content("other"), True),
        (table("failed"), table("failed"), False),
        (table("running"), table("failed"), True),
        ("text", Content("text"), True),
    ],
)
def test_only_changed_content_is_painted(first, second, expected):
    assert repaints(first, second) is expected
