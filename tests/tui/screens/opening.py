"""Open the screen of a run, for the tests of what it shows and does."""

from sparktest.domain import Run
from tests.tui.driver import AppPilot


async def opened(ui: AppPilot, run: Run) -> None:
    """Open the screen of this run from the list."""
    await ui.wait_for(lambda: ui.app.store.get(run.id))
    ui.app.store.move_to(ui.app.store.row_of((-run.created_at.timestamp(), run.id)))
    await ui.press("enter")
    await ui.shows(f"› runs › {run.name}")


def log_of(run: Run, text: str) -> dict[str, list[bytes]]:
    return {run.id: [text.encode()]}
