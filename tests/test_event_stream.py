"""Server-Sent Events are read in whatever parts they arrive."""

from base64 import b64encode
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest import event_stream
from sparktest.errors import UnavailableError
from sparktest.event_stream import EventReader, ServerEvent, log_bytes

STREAM = (
    b": SparkTest\nretry: 2000\nid: 1\n\nid: 2\nevent: created\ndata: {}\n\n"
    b": heartbeat\nid: 3\n\ndata: a\ndata:b\n\n"
)
EVENTS = [
    ServerEvent("", b"", "1"),
    ServerEvent("created", b"{}", "2"),
    ServerEvent("", b"", "3"),
    ServerEvent("message", b"a\nb", "3"),
]


@given(st.lists(st.integers(0, len(STREAM))))
def test_a_stream_may_be_cut_anywhere(cuts):
    reader = EventReader()
    at = [0, *sorted(cuts), len(STREAM)]
    found = []
    for start, end in pairwise(at):
        found += reader.feed(STREAM[start:end])
    assert found == EVENTS


@given(st.binary())
def test_no_bytes_break_the_reader(data):
    assert all(isinstance(event, ServerEvent) for event in EventReader().feed(data))


def test_an_event_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(event_stream, "MAX_BLOCK_BYTES", 10)
    reader = EventReader()
    reader.feed(b"data: 1234")
    with pytest.raises(UnavailableError):
        reader.feed(b"5")


@given(st.text())
def test_text_of_a_log_is_read(text):
    data = msgspec.json.encode({"text": text})
    assert log_bytes(ServerEvent("log", data, "")) == text.encode()


@given(st.binary())
def test_other_bytes_of_a_log_are_read(raw):
    data = msgspec.json.encode({"base64": b64encode(raw).decode()})
    assert log_bytes(ServerEvent("log", data, "")) == raw


@pytest.mark.parametrize("data", [b"x", b'{"base64": "?"}', b'{"text": 1}', b"[]", b"\xff"])
def test_a_malformed_piece_of_a_log_is_refused(data):
    with pytest.raises(UnavailableError):
        log_bytes(ServerEvent("log", data, ""))
