"""HTTP for tests: requests without proxies and redirects, and a server on loopback that a function answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

STEP = 0.1
"""Seconds between two looks of a server at whether it shall end."""


class Answer(NamedTuple):
    """An answer; the names of its headers are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}

    def json(self) -> Any:
        """Its body, decoded; fails unless the status is one of success."""
        assert 200 <= self.status < 300, f"expected success, got {self.status}: {self.body[:500]!r}"
        return json.loads(self.body)


class Asked(NamedTuple):
    """A request; the names of its headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 20.0,
) -> Answer:
    """Send one request over a connection of its own; raises OSError and http.client.HTTPException."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        connection.request(method, target, body, {"Connection": "close", **(headers or {})})
        with connection.getresponse() as response:
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, response.read(), fields)
    finally:
        connection.close()


def post(url: str, value: Any, timeout: float = 20.0) -> Answer:
    """POST a value as JSON."""
    return ask(
        url,
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(value).encode(),
        timeout=timeout,
    )


def answers(url: str) -> bool:
    """Tell whether a GET is answered with success now."""
    try:
        return ask(url, timeout=2.0).status == 200
    except (OSError, http.client.HTTPException):
        return False


class WebServer:
    """Answers each request on a free port of 127.0.0.1 with `respond(request)`; a context manager.

    `taken` counts the requests, answered or not.
    """

    def __init__(self, respond: Callable[[Asked], Answer]) -> None:
        self.taken = 0

        def take(asked: Asked) -> Answer:
            self.taken += 1
            return respond(asked)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                fields = {name.lower(): value for name, value in self.headers.items()}
                answer = take(Asked(self.command, self.path, fields, self.rfile.read(length)))
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.send_header("Connection", "close")
                self.close_connection = True
                # A client may have gone in the meantime.
                with contextlib.suppress(OSError):
                    self.end_headers()
                    self.wfile.write(answer.body)

            do_POST = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(STEP,), daemon=True)

    def __enter__(self) -> WebServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
