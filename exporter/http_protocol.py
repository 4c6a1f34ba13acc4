"""One client's connection: HTTP/1.1 as uvicorn speaks it, with a bound on everything that a client can hold."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from exporter.caps import Capped

HEAD_TIMEOUT = 5.0
"""Seconds within which a client that awaits no answer must have sent a whole request head."""

HEAD_BYTES = 2**16
"""Bytes of a request head that are read; one that follows another request may have up to twice as many."""

BODY_TIMEOUT = 10.0
"""Seconds within which a client must have sent a whole body; it is read while nothing asked before is unanswered."""

ANSWER_TIMEOUT = 60.0
"""Seconds within which a client must have taken a whole answer; Prometheus gives up on a scrape after 10 by default."""

PIPELINED = 64
"""Requests that a client may send ahead of their answers; its connection is closed after the last of them."""

READING = ("GET", "HEAD")
"""The methods of requests that change nothing."""

Headers = tuple[tuple[bytes, bytes], ...]

Answer = Callable[[int, Headers, bytes], None]
"""Gives an answer's status, further headers, and body."""

log = logging.getLogger("rollcall")


class Protocol(Capped):
    """uvicorn's HTTP/1.1, which limits neither the time nor the size of a head, nor the time that an answer takes.

    There is always one limit: on the next head, on a body, or on the answer under way. A request that is not for
    reading, or that has a body, is a connection's last, and nothing behind its head is read; unless `room` has room for
    it. One that declares a longer body is such a last request too; of one that just sends it, little more than that is
    read. What clients do wrong is logged at debug.
    """

    head_timeout = HEAD_TIMEOUT
    body_timeout = BODY_TIMEOUT
    answer_timeout = ANSWER_TIMEOUT

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._limit: asyncio.TimerHandle | None = None
        self._until = 0.0
        self._head_bytes = 0
        self._body_room = 0
        self._declared: int | None = 0
        self._in_body = False
        self._last = False
        self._over = False
        self._unbegun: tuple[RequestResponseCycle, Any] | None = None

    def room(self, _path: str) -> int | None:
        """Give the most bytes of a body that are read at a path, and dropped once its request is answered.

        None where nothing can be written, as everywhere. Who still sends when it is closed does not see the answer.
        """
        return None

    def is_short(self, _scope: Any) -> bool:
        """Tell whether `shorten` may answer an ASGI scope's request, once its body is there."""
        return False

    def shorten(self, _scope: Any, _body: bytes, _answer: Answer) -> bool:
        """Answer a request without the application, now or later on the event loop; false leaves it to that."""
        return False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head; from here on `resume_writing` tells when the client has taken everything."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=int(self.scheme == "https"))  # At 0, TLS pauses on an empty buffer.
        self._restrict(self.head_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every answer of this connection that it is not wanted any more."""
        self._lift()
        for cycle in self._unanswered:
            cycle.disconnected = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what a client sent, in pieces that are no longer than what its head may still have."""
        while data and not self._over and not self.transport.is_closing():
            room = HEAD_BYTES - self._head_bytes
            self._parse(data[:room])
            data = data[room:]

    def on_headers_complete(self) -> None:
        """Begin to answer, or put the request behind those under way."""
        if self._last:
            self._over = True
            return
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            return
        self._declared = _declared(self.headers)
        super().on_headers_complete()
        self._head_bytes = 0
        self._unanswered.append(self.cycle)
        room = self._room_for_this()
        self._over = room is None
        self._last = self._over or len(self._unanswered) == PIPELINED
        self._body_room = (room or 0) + HEAD_BYTES
        self._in_body = not self._over
        if self._last:
            self.cycle.keep_alive = False
        if len(self._unanswered) == 1:
            self._restrict(self.answer_timeout if self._over else self.body_timeout)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of a body for its answer."""
        if self._unbegun is not None:
            self.cycle.body += body
        elif self._in_body:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Go on to the answer, or to the next head."""
        if not self._in_body:
            return
        super().on_message_complete()
        self._head_bytes = 0
        self._in_body = False
        self._over = self._last
        if self._unbegun is not None:
            unbegun, self._unbegun = self._unbegun, None
            self._begin(*unbegun)
        if not self._unanswered:
            self._await()
        elif self._unanswered[0] is self.cycle:
            self._restrict(self.answer_timeout)

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one: as uvicorn does, but without another timer."""
        self._unanswered.popleft()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._unanswered:
            arriving = self._in_body and self._unanswered[0] is self.cycle
            self._restrict(self.body_timeout if arriving else self.answer_timeout)
        else:
            self._await()
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def resume_writing(self) -> None:
        """The client has taken all that was written."""
        super().resume_writing()
        if not self._unanswered:
            self._await()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answer a request, or wait until its body is there where that will be short."""
        if not self.is_short(cycle.scope) or cycle.waiting_for_100_continue:
            super()._start_asgi_task(cycle, app)
        elif not cycle.more_body:
            self._begin(cycle, app)
        elif self._declared is not None and self._declared <= HIGH_WATER_LIMIT:
            self._unbegun = (cycle, app)
        else:
            super()._start_asgi_task(cycle, app)

    def _begin(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answer a request whose body is there; the application waits for a client that takes its time."""
        answer = partial(self._answer, cycle)
        if self.flow.write_paused or not self.shorten(cycle.scope, bytes(cycle.body), answer):
            super()._start_asgi_task(cycle, app)

    def _answer(self, cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes) -> None:
        if cycle.disconnected:
            return
        fields = [*cycle.default_headers, *headers, (b"content-length", b"%d" % len(body))]
        fields += [(b"connection", b"close")] * (not cycle.keep_alive)
        lines = [b"%b: %b\r\n" % field for field in fields]
        self.transport.write(b"".join((STATUS_LINE[status], *lines, b"\r\n", body)))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _await(self) -> None:
        """Wait for the rest of a body whose request is answered, or for a head, once all answers are taken."""
        if not self.transport.get_write_buffer_size():
            self._restrict(self.body_timeout if self._in_body else self.head_timeout)

    def _room_for_this(self) -> int | None:
        """Bytes that may follow this head as its body; None if nothing behind it is to be read."""
        declared = self._declared
        room = self.room(self.scope["path"])
        if room is None:
            return 0 if declared == 0 and self.scope["method"] in READING else None
        return None if declared is not None and declared > room else room

    def _parse(self, piece: bytes) -> None:
        self._head_bytes += len(piece)
        self._body_room -= len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserError as error:
            log.debug("bad request client=%s %s", self.client, error)
            self._refuse(HTTPStatus.BAD_REQUEST)
        except httptools.HttpParserUpgrade as upgrade:
            log.debug("upgrade ignored client=%s", self.client)
            if not self._over and self.parser.get_method() != b"CONNECT":
                self._stay(piece[upgrade.args[0] :])
        else:
            self._check_length()

    def _stay(self, rest: bytes) -> None:
        """Take the head that asks for another protocol as one that does not: the parser would read no body behind it.

        A server may ignore such a wish (RFC 9110, 7.8); Java's HttpClient has it for HTTP/2 by default.
        """
        kept = [(name, text) for name, text in self.headers if name not in (b"upgrade", b"connection")]
        kept += [(b"connection", b"close")] * (not self.parser.should_keep_alive())
        target = self.parser.get_method() + b" " + self.url + b" HTTP/" + self.parser.get_http_version().encode()
        self.parser = httptools.HttpRequestParser(self)
        self._head_bytes = 0
        self._parse(b"\r\n".join([target, *(name + b": " + text for name, text in kept), b"", b""]))
        if rest and not self._over:
            self._parse(rest)

    def _check_length(self) -> None:
        if self._in_body:
            self._head_bytes = 0
            if self._body_room < 0:
                log.debug("bad request client=%s expected a shorter body", self.client)
                self._over = True
                self.cycle.keep_alive = False
                if self.cycle.response_complete:
                    self.transport.close()
        elif self._head_bytes == HEAD_BYTES:
            log.debug("bad request client=%s expected a head of at most %d bytes", self.client, HEAD_BYTES)
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _refuse(self, status: HTTPStatus) -> None:
        """Read nothing more; what is asked already is answered, and if there is nothing, the client is told."""
        self._last = self._over = True
        if self._in_body and not self.cycle.response_started:
            self._forget()
        if self._unanswered:
            self._unanswered[-1].keep_alive = False
            return
        head = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode())
        self.transport.close()

    def _forget(self) -> None:
        """Take back the newest request, of which there will be no whole body."""
        self._unanswered.pop()
        if self._unanswered:
            self.pipeline.popleft()
            return
        self._unbegun = None
        self.cycle.disconnected = True
        self.cycle.message_event.set()

    def _restrict(self, seconds: float) -> None:
        """Set the one limit; a timer that is due earlier stays, for most limits are replaced long before they pass."""
        self._until = self.loop.time() + seconds
        if self._limit is None or self._until < self._limit.when():
            self._lift()
            self._limit = self.loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        left = self._until - self.loop.time()
        if left <= 0:
            self.transport.abort()
        else:
            self._limit = self.loop.call_later(left, self._expire)

    def _lift(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


def _declared(headers: list[tuple[bytes, bytes]]) -> int | None:
    """The length of the body that a head announces; None for one in chunks."""
    fields = dict(headers)
    return None if b"transfer-encoding" in fields else int(fields.get(b"content-length", 0))
