"""How many clients there may be at a time: beyond that they are told so, and none holds what it does not take.

A subclass of uvicorn's protocol that knows no request but by its path; `http_protocol` bounds what each may send.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

CONNECTIONS = 10_000
"""Connections at a time: 10,000 workers that each send a heartbeat in 10 s and keep nothing open hold half as many."""

SPARE = 256
"""Open files that are left for everything else, of those that the process may have."""

ANSWERS = 100
"""Answers that are under way at a time; one of a large fleet holds up to 1 MB while its client takes it."""

TAKEN = 9.0
"""Seconds within which a client must take what was written last, at most 256 KiB; Prometheus gives up after 10."""

LOOK = 1.0
"""Seconds between two looks at whether an answer that takes longer is in the way of others."""

UNSENT = 2**18
"""Bytes of an answer for which the kernel is asked to have room: a client that takes nothing would get megabytes."""

EXEMPT = "/-/"
"""What begins the paths that are answered however many answers are under way: whoever asks there may restart us."""

BUSY = b"As many clients as there may be are served: ask again.\n"

Message = MutableMapping[str, Any]

log = logging.getLogger("rollcall")


class _GoneError(Exception):
    """The client whose answer is made is gone."""


class Capped(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with a cap on connections, on answers under way, and on the time until an answer is taken.

    Over a cap, a request is answered with 503, and its connection closed. A connection for which there may soon be no
    file left is closed at once. An answer is not made any further once its client is gone. While there are as many as
    may be, those that have been under way for `taken_timeout` are cut off: whoever takes a little now and then could
    keep others out for as long as an answer may take.
    """

    most_connections = CONNECTIONS
    most_answers = ANSWERS
    taken_timeout = TAKEN
    look = LOOK

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._surplus = False
        self._untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection."""
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT)
        self._surplus = len(self.connections) > self.most_connections
        if len(self.connections) > _files() - SPARE:
            log.debug("too many connections client=%s", self.client)
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what the client has not taken."""
        self._is_taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client has not taken all that was written."""
        super().pause_writing()
        self._is_taken()
        self._untaken = self.loop.call_later(self.taken_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken all that was written."""
        self._is_taken()
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answer a request, or say that there are too many."""
        many = self._surplus or self._is_full()
        if many and not cycle.scope["path"].startswith(EXEMPT):
            log.debug("too many clients client=%s", self.client)
            app = busy
        super()._start_asgi_task(cycle, partial(self._until_gone, cycle, app))

    async def _until_gone(
        self, cycle: RequestResponseCycle, app: Any, scope: Any, receive: Any, send: Callable[[Message], Any]
    ) -> None:
        """Run an application until its client is gone: uvicorn has it make the whole answer, and drops it."""

        later: asyncio.TimerHandle | None = None

        def look() -> None:
            nonlocal later
            if self._is_full():
                log.debug("a slow client is in the way of others client=%s", self.client)
                self.transport.abort()
            else:
                later = self.loop.call_later(self.look, look)

        async def send_on(message: Message) -> None:
            if cycle.disconnected:
                raise _GoneError
            await send(message)

        later = self.loop.call_later(self.taken_timeout, look)
        try:
            with suppress(_GoneError):
                await app(scope, receive, send_on)
        finally:
            later.cancel()

    def _is_full(self) -> bool:
        return len(self.tasks) >= self.most_answers

    def _is_taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None


async def busy(_scope: Any, _receive: Any, send: Callable[[Message], Any]) -> None:
    """The ASGI application that answers 503."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(BUSY)),
        (b"retry-after", b"1"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": BUSY})


def claim_files() -> None:
    """Have as many open files as the process may: the limit that shells and services begin with is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS has a hard limit of infinity, and takes none beyond that of its kernel.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _files() -> int:
    """How many files the process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else CONNECTIONS + 2 * SPARE
