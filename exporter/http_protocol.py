"""One client's connection: HTTP/1.1 as uvicorn speaks it, with a bound on everything that a client can hold."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_TIMEOUT = 5.0
"""Seconds within which a client that awaits no answer must have sent a whole request head."""

HEAD_BYTES = 2**16
"""Bytes of a request head that are read; one that follows another request may have up to twice as many."""

ANSWER_TIMEOUT = 60.0
"""Seconds within which a client must have taken a whole answer; Prometheus gives up on a scrape after 10 by default."""

PIPELINED = 64
"""Requests that a client may send ahead of their answers; its connection is closed after the last of them."""

READING = ("GET", "HEAD")
"""The methods of requests that change nothing."""

log = logging.getLogger("rollcall")


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, which limits neither the time nor the size of a head, nor the time that an answer takes.

    There is always one limit: on the next head, or on the answer under way. A request that is not for reading, or that
    has a body, is a connection's last; nothing behind it is read. What clients do wrong is logged at debug.
    """

    head_timeout = HEAD_TIMEOUT
    answer_timeout = ANSWER_TIMEOUT

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._limit: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head; from here on `resume_writing` tells when the client has taken everything."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)
        self._restrict(self.head_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every answer of this connection that it is not wanted any more."""
        self._lift()
        for cycle in self._unanswered:
            cycle.disconnected = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what a client sent, in pieces that are no longer than what its head may still have."""
        self._unset_keepalive_if_required()
        while data and not self._last and not self.transport.is_closing():
            room = HEAD_BYTES - self._head_bytes
            self._parse(data[:room])
            data = data[room:]

    def on_headers_complete(self) -> None:
        """Begin to answer, or put the request behind those under way."""
        if self._last:
            return
        super().on_headers_complete()
        self._head_bytes = 0
        self._unanswered.append(self.cycle)
        self._last = len(self._unanswered) == PIPELINED or not _only_reads(self.scope["method"], self.headers)
        if self._last:
            self.cycle.keep_alive = False
        if len(self._unanswered) == 1:
            self._restrict(self.answer_timeout)

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        self._unanswered.popleft()
        if self._unanswered:
            self._restrict(self.answer_timeout)
        elif not self.transport.get_write_buffer_size():
            self._restrict(self.head_timeout)
        super().on_response_complete()

    def resume_writing(self) -> None:
        """The client has taken all that was written."""
        super().resume_writing()
        if not self._unanswered:
            self._restrict(self.head_timeout)

    def _parse(self, piece: bytes) -> None:
        self._head_bytes += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserError as error:
            log.debug("bad request client=%s %s", self.client, error)
            self._refuse(HTTPStatus.BAD_REQUEST)
        except httptools.HttpParserUpgrade:
            log.debug("upgrade ignored client=%s", self.client)
        else:
            if self._head_bytes == HEAD_BYTES:
                log.debug("bad request client=%s expected a head of at most %d bytes", self.client, HEAD_BYTES)
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _refuse(self, status: HTTPStatus) -> None:
        """Read nothing more; what is asked already is answered, and if there is nothing, the client is told."""
        self._last = True
        if self._unanswered:
            self._unanswered[-1].keep_alive = False
            return
        head = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode())
        self.transport.close()

    def _restrict(self, seconds: float) -> None:
        self._lift()
        self._limit = self.loop.call_later(seconds, self.transport.abort)

    def _lift(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


def _only_reads(method: str, headers: list[tuple[bytes, bytes]]) -> bool:
    body = any(name == b"transfer-encoding" or (name == b"content-length" and text != b"0") for name, text in headers)
    return method in READING and not body
