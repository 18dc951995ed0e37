"""Banner: the line that says that the API is away, why, and when it is asked again."""

from math import ceil

from textual.content import Content
from textual.widgets import Static

from sparktest.tui.feed import Outage


class Banner(Static):
    """Hidden while the API answers."""

    def on_mount(self) -> None:
        """Nothing to say yet."""
        self.display = False

    def tell(self, outage: Outage | None, now: float) -> None:
        """Say what is the matter, or hide; `now` on the clock of the outage."""
        self.display = outage is not None
        if outage is not None:
            seconds = max(ceil(outage.retry_at - now), 0)
            again = f"next try in {seconds} s" if seconds else "trying again now"
            self.update(
                Content.assemble(
                    ("! ", "bold"),
                    (outage.cause, "bold"),
                    f"\n  {again} · r tries now · ",
                    outage.advice,
                )
            )
