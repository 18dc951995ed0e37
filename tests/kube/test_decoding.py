"""JSON of any depth can be decoded, and loses only what is too deep."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.kube import decoding
from sparktest.kube.decoding import MAX_DEPTH, decode

ANY = msgspec.json.Decoder()
VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='a"\\[]{},: \n', max_size=6),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='a"[{', max_size=3), inner),
)


def cut(value: Any, levels: int) -> Any:
    """Return the value without what is deeper."""
    if not isinstance(value, list | dict):
        return value
    if levels == 0:
        return None
    if isinstance(value, list):
        return [cut(each, levels - 1) for each in value]
    return {key: cut(each, levels - 1) for key, each in value.items()}


@given(value=VALUES, levels=st.integers(1, 4))
def test_what_is_not_too_deep_stays(value: Any, levels: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "MAX_DEPTH", levels)
        shallow = decoding._shallow(json.dumps(value).encode())
    assert json.loads(shallow) == cut(value, levels)


@pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_10_000_levels_are_decoded(opening: bytes, closing: bytes) -> None:
    value = decode(b'{"deep": ' + opening * 10_000 + b"1" + closing * 10_000 + b', "b": 1}', ANY)
    assert value["b"] == 1
    depth = 0
    while value:
        value = next(iter(value.values() if isinstance(value, dict) else value))
        depth += 1
    assert (value, depth) == (None, MAX_DEPTH)


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 5_000, b'{"a":' * 5_000 + b'"'])
def test_what_is_no_json_stays_an_error(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode(data, ANY)
