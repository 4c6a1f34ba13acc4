"""HTTP: /metrics, health, readiness and the landing page."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from exporter.exposition import accepts_gzip, negotiate
from exporter.scrape import Scrape

HEAD_TIMEOUT = 5.0
"""Seconds within which a client must have sent a whole request head."""

GRACE = 1.0
"""Seconds that scrapes under way have to end after SIGTERM."""

PIECE = 2**18
"""Bytes written at once; between two pieces the server waits for a slow client to take what was written."""


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with a time limit on a request head, which uvicorn has none: `HEAD_TIMEOUT`."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def on_message_begin(self) -> None:
        self._wait_for_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._head = self.loop.call_later(HEAD_TIMEOUT, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


class Server(uvicorn.Server):
    """uvicorn's server, ended by SIGTERM or SIGINT with exit status 0 instead of by the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def application(scrape: Scrape, ready: Callable[[], bool], page: Callable[[], str]) -> ASGIApp:
    """The ASGI application; `ready` tells whether the poller turns, `page` renders the landing page."""

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("Rollcall is healthy.\n")

    async def readiness(_: Request) -> Response:
        if ready():
            return PlainTextResponse("Rollcall is ready.\n")
        return PlainTextResponse("Rollcall is not ready: the poller does not turn.\n", 503)

    async def landing(_: Request) -> Response:
        return HTMLResponse(
            page(), headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )

    pages = Starlette(
        routes=[Route("/", landing), Route("/-/healthy", healthy), Route("/-/ready", readiness)],
    )

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/metrics":
            # uvicorn cancels what is under way when GRACE is over, and logs a traceback of whatever is raised.
            with contextlib.suppress(asyncio.CancelledError):
                await _metrics(scrape, scope, send)
        else:
            await pages(scope, receive, send)

    return dispatch


async def _metrics(scrape: Scrape, scope: Scope, send: Send) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        await _send(send, 405, [(b"allow", b"GET, HEAD")], [])
        return
    headers: dict[bytes, bytes] = {}
    for name, text in scope["headers"]:
        headers[name] = headers[name] + b"," + text if name in headers else text
    accept, encoding = (headers.get(name, b"").decode("latin-1") for name in (b"accept", b"accept-encoding"))
    scraped = await scrape.answer(negotiate(accept), accepts_gzip(encoding))
    length = sum(map(len, scraped.pieces))
    fields = [
        (b"content-type", scraped.content_type.encode()),
        (b"content-length", str(length).encode()),
        (b"vary", b"accept, accept-encoding"),
    ]
    if scraped.gzipped:
        fields.append((b"content-encoding", b"gzip"))
    await _send(send, 200, fields, scraped.pieces if scope["method"] == "GET" else [])


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], pieces: Sequence[bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for piece in pieces:
        for start in range(0, len(piece), PIECE):
            await send({"type": "http.response.body", "body": piece[start : start + PIECE], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket; an empty host is every address, IPv4 and IPv6. Raises OSError."""
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, backlog=512, dualstack_ipv6=both)


def run(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; requests under way have `GRACE` seconds to end."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,  # type: ignore[arg-type]
    )
    Server(config).run(sockets=[listener])
