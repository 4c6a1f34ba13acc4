"""A server on loopback that answers as a test's script says, byte for byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from types import TracebackType


def answer(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    """An HTTP/1.1 answer with a true Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Peer:
    """The server's end of one connection; `stop` is set when the server is told to end."""

    def __init__(self, sock: socket.socket, stop: threading.Event, heads: list[str]) -> None:
        self.sock = sock
        self.stop = stop
        self._heads = heads
        self._file = sock.makefile("rb")

    def head(self) -> bool:
        """Read a request up to its empty line and keep it in the server's `heads`; False when none comes."""
        head = b""
        while (line := self._file.readline()) not in (b"", b"\r\n"):
            head += line
        if head:
            self._heads.append(head.decode("latin-1"))
        return bool(head)

    @property
    def asked(self) -> str:
        """The path of the newest request, with its query."""
        return self._heads[-1].split(" ")[1]

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def trickle(self, pieces: Iterator[bytes], pause: float) -> None:
        """Send a piece every `pause` seconds until the client hangs up or the server is told to end."""
        for piece in pieces:
            self.send(piece)
            if self.stop.wait(pause):
                return

    def close(self) -> None:
        self._file.close()
        self.sock.close()


Script = Callable[[Peer], None]


def sends(*answers: bytes) -> Script:
    """A script that takes a request and sends an answer for each of `answers`, then closes the connection."""

    def run(peer: Peer) -> None:
        for data in answers:
            if not peer.head():
                return
            peer.send(data)

    return run


class Loopback:
    """Listens on 127.0.0.1; each connection runs the next of `scripts`, the last one again and again.

    `heads` are the requests received, `connections` counts what was accepted. With `tls`, it speaks TLS.
    """

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self.connections = 0
        self._scripts = scripts
        self._tls = tls
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(20)
        self._listener.close()
        assert not self._thread.is_alive(), "a script of the loopback server did not end"

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            sock.settimeout(10)
            with contextlib.suppress(OSError):
                self._run(script, sock)

    def _run(self, script: Script, sock: socket.socket) -> None:
        with sock:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            peer = Peer(sock, self._stop, self.heads)
            try:
                script(peer)
            finally:
                peer.close()
