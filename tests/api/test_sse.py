"""Server-Sent Events are framed as browsers and our client read them."""

from sparktest.api import sse
from tests.api.sse_reader import parse


def test_an_event_has_id_kind_and_data():
    assert parse(sse.event("created", b'{"a":1}', "7-9")) == [("created", b'{"a":1}', "7-9")]


def test_a_heartbeat_and_an_opening_are_no_events_but_set_the_id():
    stream = sse.opening("1-1") + sse.heartbeat("2-2")
    assert parse(stream) == []
    assert b"\nid: 2-2\n\n" in stream
