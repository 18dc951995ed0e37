import pytest

from sparktest.spans import age, span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0.0s"), (0.42, "0.4s"), (0.97, "1s"), (12, "12s"), (59.7, "1m00s"), (72, "1m12s"),
     (7500, "2h05m"), (273_600, "3d04h")],
)  # fmt: skip
def test_spans_read_like_kubectl(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(-9, "0s"), (5.9, "5s"), (720, "12m"), (10_800, "3h"), (400_000, "4d")]
)
def test_ages_have_one_unit(seconds: float, words: str) -> None:
    assert age(seconds) == words
