"""The words that a run is found by."""

import re

LONGEST = 64
_WORD = re.compile(r"[^\W_]+")


def words(*texts: str | None) -> set[str]:
    """The words of the texts: letters and digits between anything else, folded to one case."""
    joined = " ".join(text for text in texts if text)
    return {word[:LONGEST] for word in _WORD.findall(joined.casefold())}
