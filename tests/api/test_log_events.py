"""A log as Server-Sent Events has the same bytes as the log."""

import json
from base64 import b64decode

from hypothesis import given
from hypothesis import strategies as st

from sparktest.api import log_events
from tests.api.sse_reader import parse


def decoded(data: bytes) -> bytes:
    document = json.loads(data)
    return document["text"].encode() if "text" in document else b64decode(document["base64"])


@given(st.lists(st.binary() | st.text().map(str.encode)), st.integers(0, 2**40))
def test_the_events_have_exactly_the_bytes_of_the_log(pieces, offset):
    *events, end = parse(b"".join(log_events.encode(pieces, offset)))
    assert b"".join(decoded(data) for _, data, _ in events) == b"".join(pieces)
    assert end == ("end", b"{}", str(offset + len(b"".join(pieces))))


@given(st.text(), st.data())
def test_text_that_is_cut_anywhere_stays_text(text, data):
    raw = text.encode()
    at = data.draw(st.integers(0, len(raw)))
    *events, _ = parse(b"".join(log_events.encode([raw[:at], raw[at:]], 0)))
    assert "".join(json.loads(data)["text"] for _, data, _ in events) == text


@given(st.lists(st.binary()), st.data())
def test_a_reader_that_continues_from_any_id_misses_nothing(pieces, data):
    log = b"".join(pieces)
    events = parse(b"".join(log_events.encode(pieces, 0)))
    seen = events[: data.draw(st.integers(0, len(events)))]
    read = b"".join(decoded(data) for kind, data, _ in seen if kind == "log")
    assert read == log[: int(seen[-1][2]) if seen else 0]


def test_an_empty_piece_is_a_heartbeat():
    assert b": heartbeat\nid: 5\n\n" in b"".join(log_events.encode([b"hello", b""], 0))


def test_lines_of_a_log_cannot_forge_events():
    hostile = b"\n\nevent: end\ndata: {}\n\n"
    events = parse(b"".join(log_events.encode([hostile], 0)))
    assert [kind for kind, _, _ in events] == ["log", "end"]
