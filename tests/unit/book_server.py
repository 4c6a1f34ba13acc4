"""A book of workers behind HTTP on a free port of loopback."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.unit.registries import Book

STEP = 0.05


class Served(Book):
    """A book that is asked over HTTP; `heads` are the headers of the requests, their names in lower case."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[dict[str, str]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def served(port: int = 0) -> Iterator[Served]:
    """A book that answers on a port, a free one for 0."""
    book = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            book.heads.append({name.lower(): value for name, value in self.headers.items()})
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))) or None
            status, answer = book.ask(self.command, self.path, body)
            sent = json.dumps(answer).encode()
            # A client may have gone in the meantime.
            with contextlib.suppress(OSError):
                self.send_response_only(status)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

        do_DELETE = do_POST

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False

    with Server(("127.0.0.1", port), Handler) as server:
        book.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, args=(STEP,), daemon=True)
        thread.start()
        try:
            yield book
        finally:
            server.shutdown()
            thread.join()
