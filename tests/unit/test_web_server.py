"""The server over TLS: large answers, slow readers, requests on one connection, clients that leave."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from exporter.asgi import Receive, Scope, Send
from exporter.http_protocol import Protocol
from exporter.server import PIECE, Server, configure, listen
from tests.unit.certificates import Authority
from tests.unit.handshakes import trusting

PIECES = 64
LARGE = PIECE * PIECES
REQUEST = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """`/large` has 16 MiB, other paths two bytes."""
    count = PIECES if scope["path"] == "/large" else 0
    length = str(LARGE if count else 2).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    for number in range(count):
        await send({"type": "http.response.body", "body": bytes([number]) * PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if count else b"ok"})


class Threaded(Server):
    """A server that leaves signals to the thread that may have them."""

    capture_signals = contextlib.nullcontext  # type: ignore[assignment]


Running = tuple[Server, int, ssl.SSLContext]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server"))
    with listen("127.0.0.1", 0) as listener:
        server = Threaded(configure(answers, Protocol, context))
        yield from running(server, listener, trusting(str(authority.pem)))


def running(server: Server, listener: socket.socket, client: ssl.SSLContext) -> Iterator[Running]:
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield server, listener.getsockname()[1], client
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@contextlib.contextmanager
def connected(server: Running, room: int | None = None) -> Iterator[ssl.SSLSocket]:
    _, port, context = server
    plain = socket.socket()
    if room is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    plain.settimeout(20)
    plain.connect(("127.0.0.1", port))
    with context.wrap_socket(plain, server_hostname="localhost") as secure:
        yield secure


def body(client: ssl.SSLSocket, most: int = 2**16) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    found = bytearray()
    while len(found) < length:
        found += client.recv(min(most, length - len(found)))
    return bytes(found)


WHOLE = b"".join(bytes([number]) * PIECE for number in range(PIECES))


@pytest.mark.parametrize(("room", "most"), [(None, 2**20), (4096, 3000)])
def test_a_large_answer_comes_whole_however_slowly_it_is_read(room: int | None, most: int, server: Running) -> None:
    with connected(server, room) as client:
        client.sendall(REQUEST % b"large")
        assert body(client, most) == WHOLE
        client.sendall(REQUEST % b"small")
        assert body(client) == b"ok"


def test_requests_sent_ahead_are_answered_in_turn(server: Running) -> None:
    with connected(server) as client:
        client.sendall(REQUEST % b"large" + (REQUEST % b"small") * 20 + REQUEST % b"large")
        assert body(client) == WHOLE
        assert [body(client) for _ in range(20)] == [b"ok"] * 20
        assert body(client) == WHOLE


def test_who_asks_in_plain_text_or_leaves_in_the_middle_costs_nobody_else_anything(
    server: Running,
) -> None:
    for sent in (REQUEST % b"small", b"\x16\x03\x01\x02\x00\x01", b""):
        with socket.create_connection(("127.0.0.1", server[1]), 20) as plain:
            plain.sendall(sent)
    with connected(server, 4096) as client:
        client.sendall(REQUEST % b"large")
        assert client.recv(1) == b"H"
    with connected(server) as client:
        client.sendall(REQUEST % b"small")
        assert body(client) == b"ok"
