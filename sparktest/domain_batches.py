"""The result of an item of a batch, as it travels in JSON."""

from typing import Any

from sparktest.domain import Run, WireStruct
from sparktest.errors import for_status

# In one batch, with all repeats.
MAX_BATCH_RUNS = 500


class BatchResult(WireStruct, frozen=True, kw_only=True):
    """What became of an item: its run, or the problem (RFC 9457) for which it was refused.

    `status` is the HTTP status that the item would have had alone. `repeats` are the further runs
    of an item that is repeated; their `repeat_of` is the id of `run`.
    """

    status: int
    run: Run | None = None
    repeats: tuple[Run, ...] = ()
    problem: dict[str, Any] | None = None

    def started(self) -> list[Run]:
        """Return the run and its repeats.

        Raises:
            SparkTestError: the item was refused.
        """
        if self.run is None:
            problem = self.problem or {}
            raise for_status(self.status)(
                problem.get("detail", ""), errors=problem.get("errors", ())
            )
        return [self.run, *self.repeats]
