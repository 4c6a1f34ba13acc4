"""A small HTTP/1.1 server on loopback whose misbehaviour can be commanded: refuse, hang, answer."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import unquote

import msgspec

LINE_LIMIT = 65536
BODY_LIMIT = 1 << 20
IDLE_TIMEOUT, SEND_TIMEOUT = 5.0, 60.0
PAUSE_STEP = 0.1


class Request(msgspec.Struct, frozen=True):
    """A parsed request: decoded path, raw query, and whether the client wants the connection closed after it."""

    method: str
    path: str
    query: str = ""
    close: bool = False


class Answer(msgspec.Struct, frozen=True):
    """A JSON answer, with headers beyond type and length."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Server:
    """Answers `respond(request)` on `host`, on a fixed port or (0) any free one that it then keeps.

    `render` turns an answer into bytes; without `keep_alive` the connection ends after one answer. Raises OSError when
    the port is taken.
    """

    def __init__(
        self,
        host: str,
        port: int,
        respond: Callable[[Request], Answer],
        render: Callable[[Request, Answer], bytes],
        *,
        keep_alive: bool,
    ) -> None:
        self._respond, self._render, self._keep_alive = respond, render, keep_alive
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = self._bind((host, port))
        self.host, self.port = self._socket.getsockname()[:2]
        self._awake = threading.Event()
        self._awake.set()
        self._lock, self._switch = threading.Lock(), threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._door: threading.Thread | None = None
        self._bell: socket.socket | None = None

    @property
    def url(self) -> str:
        """Its URL, without a path; a wildcard address is reached on loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def up(self) -> None:
        """Begin to listen; nothing happens if it does."""
        with self._switch:
            if self._door is None:
                self._socket.listen(128)
                self._bell, ear = socket.socketpair()
                self._door = threading.Thread(target=self._accept, args=(self._socket, ear), daemon=True)
                self._door.start()

    def down(self) -> None:
        """Refuse connections and drop those there are; the port stays taken. Nothing happens if it is down."""
        with self._switch:
            if self._door is None or self._bell is None:
                return
            self._bell.close()
            self._door.join()
            self._door = self._bell = None
            self._socket.close()
            self._socket = self._bind((self.host, self.port))
            self._drop()

    def pause(self) -> None:
        """Stop answering, as a stopped process does: connections are taken, requests hang."""
        self._awake.clear()

    def resume(self) -> None:
        """Answer again, the requests that hang too."""
        self._awake.set()

    def close(self) -> None:
        """End it for good: no thread and no socket is left."""
        self.down()
        self._socket.close()

    def _bind(self, address: tuple[str, int]) -> socket.socket:
        bound = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
        return bound

    def _accept(self, listener: socket.socket, ear: socket.socket) -> None:
        with ear, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(ear, selectors.EVENT_READ)
            while not any(key.fileobj is ear for key, _ in selector.select()):
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    thread = threading.Thread(target=self._converse, args=(connection,), daemon=True)
                    with self._lock:
                        self._connections[connection] = thread
                    thread.start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError), connection.makefile("rb") as stream:
                while self._exchange(connection, stream):
                    pass
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()

    def _exchange(self, connection: socket.socket, stream: BinaryIO) -> bool:
        connection.settimeout(IDLE_TIMEOUT)
        request = read_request(stream)
        if request is None or not self._answering(connection):
            return False
        connection.settimeout(SEND_TIMEOUT)
        connection.sendall(self._render(request, self._respond(request)))
        return self._keep_alive and not request.close

    def _answering(self, connection: socket.socket) -> bool:
        while not self._awake.wait(PAUSE_STEP):
            with self._lock:
                if connection not in self._connections:
                    return False
        return True

    def _drop(self) -> None:
        with self._lock:
            dropped, self._connections = self._connections, {}
        for connection, thread in dropped.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()


def read_request(stream: BinaryIO) -> Request | None:
    """Read one request with its body; None at the end of the stream or where it is no HTTP. Raises OSError."""
    words = stream.readline(LINE_LIMIT).decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline(LINE_LIMIT).decode("latin-1").strip()) and len(headers) < 100:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length) > BODY_LIMIT:
        return None
    stream.read(int(length))
    path, _, query = words[1].partition("?")
    close = headers.get("connection", "").lower() == "close" or words[2] == "HTTP/1.0"
    return Request(words[0], unquote(path), query, close)


def response(answer: Answer, headers: tuple[tuple[str, str], ...], *, body: bool) -> bytes:
    """An answer on the wire, with these headers in this order."""
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (answer.body if body else b"")
