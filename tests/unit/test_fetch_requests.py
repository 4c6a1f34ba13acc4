"""Requests that bring something: what goes over the line, and what becomes of it."""

from __future__ import annotations

import pytest

from exporter.sources.fetch import Resolver, Session
from exporter.sources.source import Deadline, SourceError
from tests.unit.fetching import endpoint
from tests.unit.loopback import Loopback, Peer, answer, sends


def session(server: Loopback, *statuses: int) -> Session:
    place = endpoint(f"http://127.0.0.1:{server.port}/below")
    return Session(place, Deadline(20), resolve=Resolver(), statuses=statuses or (200,))


def body(peer: Peer, length: int) -> bytes:
    """Read a request's head, and so much body."""
    assert peer.head()
    return peer._file.read(length)


def test_a_post_brings_its_body_as_json() -> None:
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        got.append(body(peer, 8))
        peer.send(answer(b"[1]", status="201 Created"))

    with Loopback(script) as server, session(server, 200, 201) as asked:
        fetched = asked.post("/x?y=1", b'{"a": 1}')
    assert (fetched.status, fetched.body) == (201, b"[1]")
    assert got == [b'{"a": 1}']
    [head] = server.heads
    assert head.startswith("POST /below/x?y=1 HTTP/1.1\r\n")
    assert "\r\nContent-Type: application/json\r\n" in head
    assert "\r\nContent-Length: 8\r\n" in head
    assert "Transfer-Encoding" not in head


def test_a_delete_brings_nothing() -> None:
    with Loopback(sends(answer(b"null"))) as server, session(server) as asked:
        assert asked.delete("/x").body == b"null"
    [head] = server.heads
    assert head.startswith("DELETE /below/x HTTP/1.1\r\n")
    assert "Content-" not in head


def test_requests_share_a_connection_and_one_that_was_closed_is_replaced() -> None:
    def once(peer: Peer) -> None:
        body(peer, 2)
        peer.send(answer())

    def twice(peer: Peer) -> None:
        once(peer)
        once(peer)

    with Loopback(once, twice) as server, session(server) as asked:
        for _ in range(3):
            assert asked.post("/x", b"{}").body == b"{}"
    assert (server.connections, len(server.heads)) == (2, 3)


def test_an_error_names_the_method() -> None:
    refused = answer(b"{}", status="405 Method Not Allowed")
    with Loopback(sends(refused)) as server, session(server) as asked, pytest.raises(SourceError) as raised:
        asked.delete("/x?y=1")
    assert (str(raised.value), raised.value.status) == ("DELETE /below/x: expected status 200, got 405", 405)
