"""HTTP: /metrics, health, readiness, the pages, and why a node or a worker is as it is."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from urllib.parse import parse_qsl

import uvicorn

from exporter.asgi import ASGIApp, Pages, Receive, Scope, Send, answer
from exporter.bounded import Bounded, BusyError
from exporter.exposition import accepts_gzip, negotiate
from exporter.http_protocol import READING, Protocol
from exporter.loopback import names_loopback
from exporter.scrape import Scrape

GRACE = 0.7
"""Seconds that answers under way have to end after SIGTERM."""

PIECE = 2**17
"""Bytes written at once; between two pieces the server waits for a slow client to take what was written."""


Reload = Callable[[], Awaitable[tuple[int, str]]]
"""Has the configuration loaded again; gives status and text."""

RELOADING = ("POST", "PUT")
"""The methods that ask for a reload, as Prometheus has them."""

Explain = Callable[[str, str | None], tuple[int, bytes]]
"""Gives status and JSON for a name and a fleet, None for any; threads call it."""

EXPLAINED = 4
"""Explanations that are made at a time; one of a large fleet takes a tenth of a second of a processor."""

EXPLANATIONS = "/api/v1/"
"""What the paths of explanations begin with; what they are of follows, and a name, which may hold any character."""

EXPLAINING = ((b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff"))
PLAIN = (b"content-type", b"text/plain; charset=utf-8")

HANDSHAKE = 5.0
"""Seconds within which a client must have ended the TLS handshake."""

FAREWELL = 1.0
"""Seconds that a client has to end TLS after the last answer, before its connection is just closed."""


class Server(uvicorn.Server):
    """uvicorn's server, ended by SIGTERM or SIGINT with exit status 0 instead of by the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The handlers that were there before are back at the end, as uvicorn does, but no signal is raised again."""
        previous = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the sockets; uvicorn bounds neither the time of a TLS handshake nor that of its end."""
        await super().startup([])
        loop, context, backlog = asyncio.get_running_loop(), self.config.ssl, self.config.backlog
        handshake, farewell = (HANDSHAKE, FAREWELL) if context else (None, None)
        for each in sockets or ():
            server = await loop.create_server(
                self._connection,
                sock=each,
                backlog=backlog,
                ssl=context,
                ssl_handshake_timeout=handshake,
                ssl_shutdown_timeout=farewell,
            )
            self.servers.append(server)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End within `GRACE` seconds.

        uvicorn's own limit cancels the application and logs an error for each answer that it cuts off, but not where
        the client is gone: so the connections go first.
        """
        limit = asyncio.get_running_loop().call_later(GRACE, self._cut_off)
        await super().shutdown(sockets)
        limit.cancel()

    def _connection(self) -> asyncio.Protocol:
        protocol: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return protocol(config=self.config, server_state=self.server_state, app_state={})

    def _cut_off(self) -> None:
        for connection in self.server_state.connections:
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()


def application(
    scrape: Scrape,
    ready: Callable[[], bool],
    site: Pages,
    explain: Mapping[str, Explain],
    *,
    mounts: Mapping[str, ASGIApp] | None = None,
    local: bool = False,
    reload: Reload | None = None,
) -> ASGIApp:
    """The ASGI application; `ready` tells whether the poller turns, `site` has the pages.

    `explain` has what explains `nodes` and `workers`, by the part of the path that names them; `mounts` what else is
    served, by the start of the path. A `local` server, on loopback, shows pages only to who calls it so.

    Whoever reaches it may have it `reload`, where it can: it follows the file that it was started with, and no other.
    """
    mounted = tuple((mounts or {}).items())
    pages = _pages(ready, site, explain)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn logs a traceback of whatever is raised.
        with contextlib.suppress(asyncio.CancelledError):
            for start, app in mounted:
                if scope["path"].startswith(start):
                    await app(scope, receive, send)
                    return
            if scope["path"] == "/-/reload" and reload:
                await _reload(reload, scope, send)
            elif scope["method"] not in READING:
                await _send(send, 405, [(b"allow", ", ".join(READING).encode()), (b"content-length", b"0")], [])
            elif scope["path"] == "/metrics":
                await _metrics(scrape, scope, send)
            elif local and _is_page(site, scope["path"]) and not names_loopback(_host(scope)):
                await _text(send, 403, "Expected localhost or a loopback address as Host.\n")
            else:
                await pages(scope, receive, send)

    return dispatch


def _is_page(site: Pages, path: str) -> bool:
    return site.has(path) or path.startswith("/api/")


def _host(scope: Scope) -> bytes:
    return next((text for name, text in scope["headers"] if name == b"host"), b"")


def _pages(ready: Callable[[], bool], site: Pages, explain: Mapping[str, Explain]) -> ASGIApp:
    threads = Bounded(EXPLAINED, "explain")

    async def pages(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        kind, slash, name = path.removeprefix(EXPLANATIONS).partition("/")
        if site.has(path):
            await site(scope, receive, send)
        elif path == "/-/healthy":
            await _text(send, 200, "Rollcall is healthy.\n")
        elif path == "/-/ready" and ready():
            await _text(send, 200, "Rollcall is ready.\n")
        elif path == "/-/ready":
            await _text(send, 503, "Rollcall is not ready: the poller does not turn.\n")
        elif path.startswith(EXPLANATIONS) and slash and kind in explain:
            status, body = await _explained(threads, explain[kind], name, scope["query_string"])
            await answer(send, status, EXPLAINING, body)
        else:
            await _text(send, 404, "There is nothing here.\n")

    return pages


async def _explained(threads: Bounded, explain: Explain, name: str, query: bytes) -> tuple[int, bytes]:
    """Give status and body of an explanation."""
    fleet = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)).get("fleet")
    try:
        return await threads.call(explain, name, fleet)
    except BusyError:
        return 503, b'{"error": "%d explanations are under way: ask again"}\n' % EXPLAINED


async def _reload(reload: Reload, scope: Scope, send: Send) -> None:
    if scope["method"] not in RELOADING:
        await _text(send, 405, "Expected POST or PUT.\n", [PLAIN, (b"allow", ", ".join(RELOADING).encode())])
        return
    await _text(send, *await reload())


async def _text(send: Send, status: int, text: str, headers: Sequence[tuple[bytes, bytes]] = (PLAIN,)) -> None:
    await answer(send, status, headers, text.encode())


async def _metrics(scrape: Scrape, scope: Scope, send: Send) -> None:
    headers: dict[bytes, bytes] = {}
    for name, text in scope["headers"]:
        headers[name] = headers[name] + b"," + text if name in headers else text
    accept, encoding = (headers.get(name, b"").decode("latin-1") for name in (b"accept", b"accept-encoding"))
    scraped = await scrape.answer(negotiate(accept), accepts_gzip(encoding))
    fields = [
        (b"content-type", scraped.content_type.encode()),
        (b"content-length", str(scraped.length).encode()),
        (b"vary", b"accept, accept-encoding"),
    ]
    if scraped.gzipped:
        fields.append((b"content-encoding", b"gzip"))
    await _send(send, 200, fields, scraped.pieces if scope["method"] == "GET" else [])


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], pieces: Iterable[bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for piece in gathered(pieces):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        # A send does not wait while the socket takes what is written.
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


def gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of `PIECE`; the last one may be shorter."""
    kept: list[bytes] = []
    length = 0
    for piece in pieces:
        kept.append(piece)
        length += len(piece)
        if length >= PIECE:
            whole = b"".join(kept)
            end = length - length % PIECE
            yield from (whole[start : start + PIECE] for start in range(0, end, PIECE))
            kept, length = [whole[end:]], length - end
    if length:
        yield b"".join(kept)


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket; an empty host is every address, IPv4 and IPv6. Raises OSError."""
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, backlog=512, dualstack_ipv6=both)


def run(
    app: ASGIApp,
    listener: socket.socket,
    protocol: type[Protocol] = Protocol,
    context: ssl.SSLContext | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; answers under way have `GRACE` seconds to end. With a context, over TLS."""
    Server(configure(app, protocol, context)).run(sockets=[listener])


def configure(
    app: ASGIApp, protocol: type[Protocol] = Protocol, context: ssl.SSLContext | None = None
) -> uvicorn.Config:
    """uvicorn's configuration for an application."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        # A client on loopback could call itself by any other address.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ssl_context_factory=None if context is None else lambda _config, _own: context,
    )
