"""What stands before an upstream: it passes on what that says, or does something else in its place."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.unit.loopback import Peer, Script

PATIENCE = 30.0
"""Seconds that one side may take for its next bytes."""


class Gate:
    """Listens on a free port of 127.0.0.1 for the server at another; a context manager.

    While `script` is set, it is what a client gets; `met` counts the requests that got one.
    """

    def __init__(self, upstream: int) -> None:
        self.script: Script | None = None
        self.met = 0
        self._upstream = upstream
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = _bound(0)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._door: threading.Thread | None = None

    def __enter__(self) -> Gate:
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.vanish()
        self._listener.close()

    def come_back(self) -> None:
        """Listen."""
        self._listener.listen(64)
        self._door = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._door.start()

    def vanish(self) -> None:
        """Refuse connections, and drop those there are; the port stays taken."""
        self._listener.shutdown(socket.SHUT_RDWR)
        if self._door is not None:
            self._door.join()
        self._listener.close()
        self._listener = _bound(self.port)
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        near.settimeout(PATIENCE)
        with self._lock:
            self._open.add(near)
        try:
            with contextlib.suppress(OSError):
                if self.script is None:
                    self._pass_on(near)
                else:
                    self._play(self.script, near)
        finally:
            with self._lock:
                self._open.discard(near)
            near.close()

    def _play(self, script: Script, near: socket.socket) -> None:
        peer = Peer(near, self._stop, [])
        with contextlib.closing(peer):
            if peer.head():
                self.met += 1
                script(peer)

    def _pass_on(self, near: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._upstream), PATIENCE) as far:
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(2**16):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener
