"""Many clients at once: every response belongs to its request, whole and in order."""

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader

import pytest

from sparktest.api import auth
from tests.api.server.event_loops import RunningLoop, running_loop

MIB = 1024 * 1024
# Around the limits of the server: 16 KiB unchecked, 64 KiB received at once, 256 KiB in memory.
SIZES = (0, 1, 16_384, 16_385, 65_536, 65_537, 130_000, 262_145, 700_000)
LARGE = 8 * MIB
CLIENTS = 24
ROUNDS = 6
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def loop(monkeypatch):
    monkeypatch.setattr(auth, "check_request", lambda: None)
    with running_loop() as running:
        yield running


def chunks(body: bytes, choose: random.Random) -> Iterator[bytes]:
    while body:
        size = choose.choice((1, 1000, 65_536, MIB))
        part, body = body[:size], body[size:]
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


def request(body: bytes, choose: random.Random) -> bytes:
    """Return a request with this body, chunked or not."""
    head = b"POST /digest HTTP/1.1\r\nHost: x\r\n"
    if choose.random() < 0.5:
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
    return b"%bTransfer-Encoding: chunked\r\n\r\n%b" % (head, b"".join(chunks(body, choose)))


def expected(stream: BufferedReader) -> bytes:
    """Return the body of the next response, which must have status 200."""
    status, length = stream.readline(), 0
    assert b" 200 " in status, status + stream.read(500)
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return stream.read(length)


def send(client, data: bytes, choose: random.Random) -> None:
    while data:
        size = choose.choice((1, 100, 20_000, 65_536, MIB))
        client.sendall(data[:size])
        data = data[size:]


def converse(loop: RunningLoop, seed: int) -> int:
    """Send pipelined requests on one connection; return how many were answered as they must be."""
    choose = random.Random(seed)
    answered = 0
    with loop.connect() as client, client.makefile("rb") as stream:
        for _ in range(ROUNDS):
            bodies = [choose.randbytes(choose.choice(SIZES)) for _ in range(choose.randint(1, 4))]
            data = b"".join(request(body, choose) + ASK for body in bodies)
            sender = threading.Thread(target=send, args=(client, data, choose))
            sender.start()
            for body in bodies:
                assert expected(stream).decode() == hashlib.sha256(body).hexdigest()
                assert expected(stream) == b"hello"
                answered += 2
            sender.join()
    return answered


def test_each_of_many_clients_gets_its_own_responses_in_order(loop):
    with ThreadPoolExecutor(CLIENTS) as pool:
        answered = [*pool.map(lambda seed: converse(loop, seed), range(CLIENTS))]
    assert min(answered) >= 2 * ROUNDS


@pytest.mark.parametrize("chunked", [False, True])
def test_the_largest_bodies_arrive_whole(loop, chunked):
    def upload(seed: int) -> bool:
        choose = random.Random(seed)
        choose.random = lambda: float(chunked)  # type: ignore[method-assign]
        body = choose.randbytes(LARGE)
        with loop.connect() as client, client.makefile("rb") as stream:
            client.sendall(request(body, choose))
            return expected(stream).decode() == hashlib.sha256(body).hexdigest()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(upload, range(4)))
