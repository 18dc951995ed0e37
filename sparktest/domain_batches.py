"""Several runs in one request: the result of an item of a batch, and the limits."""

from typing import Any
from uuid import UUID

from sparktest.domain import Run, WireStruct
from sparktest.errors import for_status

# In one batch, with all repeats.
MAX_BATCH_RUNS = 500
# In one question for missing runs.
MAX_RUN_IDS = 1000


def is_uuid(text: str) -> bool:
    """Return True if the text can be the id of a run: what a TestRun's status says may not be."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


class MissingRuns(WireStruct, frozen=True, kw_only=True):
    """The ids that no run has, in the order of the question."""

    ids: tuple[str, ...]


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
