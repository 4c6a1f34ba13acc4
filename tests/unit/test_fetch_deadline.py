"""One deadline over the whole read: look-up, connection, handshake, headers and body, however slowly they come."""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from collections.abc import Iterator

import pytest

from exporter.endpoint import Endpoint
from exporter.sources.fetch import Resolver, Session
from exporter.sources.resolve import Address
from exporter.sources.source import Deadline, SourceError
from tests.unit.fetching import CA, endpoint, failure, get, server_tls
from tests.unit.loopback import Loopback, Peer, Script, answer, sends

SECONDS = 0.3
GRACE = 5
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SLOW = {
    "silence": (b"", b""),
    "status line": (b"", b"H"),
    "headers": (OK, b"X: y\r\n"),
    "one header": (OK + b"X: ", b"y"),
    "body of a length": (OK + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "body until the end": (OK + b"\r\n", b"x"),
    "gzip body": (OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff", b"\0"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "chunk size": (CHUNKED, b"0"),
    "trailers": (CHUNKED + b"0\r\n", b"T: v\r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


def trickles(start: bytes, piece: bytes) -> Script:
    def run(peer: Peer) -> None:
        peer.head()
        peer.send(start)
        peer.trickle(itertools.repeat(piece), 0.02)

    return run


def assert_timely(place: Endpoint, seconds: float = SECONDS) -> SourceError:
    began = time.monotonic()
    error = failure(place, seconds=seconds)
    assert time.monotonic() - began < seconds + GRACE
    assert error.result == "timeout"
    return error


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", SLOW)
def test_an_answer_that_trickles_ends_at_the_deadline(kind: str, scheme: str) -> None:
    with Loopback(trickles(*SLOW[kind]), tls=server_tls() if scheme == "https" else None) as server:
        error = assert_timely(endpoint(f"{scheme}://localhost:{server.port}", ca_file=CA))
    assert str(error) in ("GET /x: no whole answer within 0.3 s", "GET /x: no whole answer in time")


def test_a_server_that_accepts_no_connection_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert_timely(endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        assert_timely(endpoint(f"https://127.0.0.1:{listener.getsockname()[1]}", ca_file=CA))


def test_a_handshake_that_trickles_ends_at_the_deadline() -> None:
    def half_a_record(peer: Peer) -> None:
        peer.send(b"\x16\x03\x03\x40\x00")
        peer.trickle(itertools.repeat(b"\x02"), 0.02)

    with Loopback(half_a_record) as server:
        assert_timely(endpoint(f"https://localhost:{server.port}", ca_file=CA))


def test_the_requests_of_a_session_share_its_deadline() -> None:
    def slow_second(peer: Peer) -> None:
        sends(answer(b"1"))(peer)
        peer.head()
        peer.trickle(itertools.repeat(b"H"), 0.02)

    began = time.monotonic()
    with Loopback(slow_second) as server:
        place = endpoint(f"http://127.0.0.1:{server.port}")
        with Session(place, Deadline(SECONDS), resolve=Resolver()) as session:
            assert session.get("/1").body == b"1"
            with pytest.raises(SourceError, match="no whole answer"):
                session.get("/2")
    assert time.monotonic() - began < SECONDS + GRACE


def test_nothing_is_sent_after_the_deadline() -> None:
    now = [100.0]
    with Loopback(sends(answer(b"1"), answer(b"2"))) as server:
        place = endpoint(f"http://127.0.0.1:{server.port}")
        with Session(place, Deadline(5, clock=lambda: now[0]), resolve=Resolver()) as session:
            session.get("/1")
            now[0] = 105.0
            with pytest.raises(SourceError, match=r"^GET /2: no whole answer within 5 s$"):
                session.get("/2")
    assert [head.split("\r\n")[0] for head in server.heads] == ["GET /1 HTTP/1.1"]


@contextlib.contextmanager
def black_hole() -> Iterator[Address]:
    """An address whose queue of connections is full: Linux drops further SYNs, as a firewall does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield socket.AF_INET, address


def test_an_address_that_swallows_packets_leaves_time_for_the_next() -> None:
    with Loopback(sends(answer(b"here"))) as server, black_hole() as hole:
        addresses = [hole, hole, (socket.AF_INET, ("127.0.0.1", server.port))]
        assert get(endpoint("http://many.test"), seconds=3, resolve=lambda *_: addresses).body == b"here"


def test_a_refusing_address_is_followed_by_the_next() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = closed.getsockname()
    with Loopback(sends(answer(b"here"))) as server:
        addresses = [(socket.AF_INET, refusing), (socket.AF_INET, ("127.0.0.1", server.port))]
        assert get(endpoint("http://many.test"), resolve=lambda *_: addresses).body == b"here"


def test_addresses_that_all_swallow_packets_end_at_the_deadline() -> None:
    began = time.monotonic()
    with black_hole() as hole:
        error = failure(endpoint("http://many.test"), seconds=SECONDS, resolve=lambda *_: [hole, hole, hole])
    assert time.monotonic() - began < SECONDS + GRACE
    assert error.result == "timeout"
    assert str(error) == "GET /x: expected a connection to many.test:80, got no answer in time"
