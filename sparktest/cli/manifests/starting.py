"""Start several runs, one after the other."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from sparktest.cli.exits import ExitError, error_code, error_text
from sparktest.errors import SparkTestError

T = TypeVar("T")


class Started(NamedTuple, Generic[T]):
    """The runs that were started; `error` is why the next one was not, None if all were."""

    runs: list[T]
    error: ExitError | None

    def finish(self) -> None:
        """Raise the error, if there is one; call it when the started runs are dealt with."""
        if self.error:
            raise self.error


def start_all(
    starters: Sequence[tuple[str, Callable[[], T]]], on_start: Callable[[T], object]
) -> Started[T]:
    """Start runs until one fails; what was started before goes on.

    Args:
        starters: for each run its place in a file ("" if it has none), and what starts it.
        on_start: called with each run at once.

    Raises:
        SparkTestError: the only one cannot be started.
    """
    started: list[T] = []
    for place, start in starters:
        try:
            started.append(start())
        except SparkTestError as error:
            if len(starters) == 1:
                raise
            where = f"{place}: " if place else ""
            text = f"{where}{error_text(error)}; {len(started)} of {len(starters)} were started"
            return Started(started, ExitError(text, error_code(error)))
        on_start(started[-1])
    return Started(started, None)
