"""The threads that answer requests."""

import threading

from tests.api.server.event_loops import running_loop


def test_a_thread_whose_request_ends_after_the_loop_does_not_write_to_the_pipe():
    before = set(threading.enumerate())
    with running_loop() as loop, loop.connect() as client:
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert loop.waiting.wait(60)
        loop.halt()
        assert not loop.pipe_has_data()
        loop.gate.set()
        for thread in set(threading.enumerate()) - before:
            thread.join(60)
        assert not loop.pipe_has_data()
