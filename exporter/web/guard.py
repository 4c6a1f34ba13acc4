"""Stands before the application: the rate of requests, the headers of every answer, and who may ask at all."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import time
from collections import Counter
from collections.abc import Callable

from exporter.asgi import ASGIApp, Event, Receive, Scope, Send
from exporter.http_protocol import Protocol
from exporter.records import WebRejections
from exporter.records.table import Tables
from exporter.web.file import Rate, Web
from exporter.web.logins import BusyError, Logins

REASONS = ("credentials", "busy", "rate")
"""Why a request is refused: every one that there is."""

CHALLENGE = (b"www-authenticate", b'Basic realm="rollcall", charset="UTF-8"')


class Bucket:
    """Lets one request through every `interval` seconds, and `burst` at once after a rest."""

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self.rate = rate
        self._clock = clock
        self._left = float(rate.burst)
        self._at = clock()

    def take(self) -> bool:
        """Take one request; false where there is none to take."""
        now = self._clock()
        self._left = min(float(self.rate.burst), self._left + (now - self._at) / self.rate.interval)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Guard:
    """An ASGI application that lets through to another what the web configuration lets through.

    `keyed` tells of a path whose own key is asked for there, instead of a user and password: a request has one
    Authorization header.
    """

    def __init__(
        self,
        web: Callable[[], Web],
        logins: Logins,
        *,
        keyed: Callable[[str], bool] = lambda _path: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._web = web
        self._logins = logins
        self._keyed = keyed
        self._clock = clock
        self._bucket: Bucket | None = None
        self._refused: Counter[str] = Counter(dict.fromkeys(REASONS, 0))

    def behind(self, protocol: type[Protocol]) -> type[Protocol]:
        """The protocol, whose connections answer nothing without the application that this guard would refuse or mark.

        See `Protocol.shorten`.
        """
        passes = self._passes

        class Guarded(protocol):  # type: ignore[misc, valid-type]
            """Connections that leave to the application what the guard must see."""

            def is_short(self, scope: Scope) -> bool:
                return passes(scope["path"]) and bool(super().is_short(scope))

        return Guarded

    def tables(self) -> Tables:
        """A row per reason, 0 where none was refused for it."""
        return {WebRejections: tuple(WebRejections(*each) for each in self._refused.copy().items())}

    def before(self, app: ASGIApp) -> ASGIApp:
        """The application with this guard before it."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            # uvicorn logs a traceback of whatever is raised.
            with contextlib.suppress(asyncio.CancelledError):
                web = self._web()
                marked = _marking(web, send)
                reason = await self._reason(web, scope)
                if reason is None:
                    await app(scope, receive, marked)
                else:
                    self._refused[reason] += 1
                    await _refuse(reason, scope, marked)

        return guarded

    async def _reason(self, web: Web, scope: Scope) -> str | None:
        """Why a request is refused; None for one that is let through."""
        if not self._allowed(web.rate):
            return "rate"
        if not web.users or self._keyed(scope["path"]):
            return None
        login = _login(scope)
        if login is None:
            return "credentials"
        client = scope["client"][0] if scope["client"] else ""
        try:
            right = await self._logins.right(web.users, *login, client)
        except BusyError:
            return "busy"
        return None if right else "credentials"

    def _passes(self, path: str) -> bool:
        web = self._web()
        return not web.headers and web.rate is None and (not web.users or self._keyed(path))

    def _allowed(self, rate: Rate | None) -> bool:
        if rate is None:
            self._bucket = None
            return True
        if self._bucket is None or self._bucket.rate != rate:
            self._bucket = Bucket(rate, self._clock)
        return self._bucket.take()


def _login(scope: Scope) -> tuple[bytes, bytes] | None:
    """The user and password of a request; None where it has none, or an Authorization header that is none or twice."""
    given = [text for name, text in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, encoded = given[0].partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (user, password) if colon else None


def _marking(web: Web, send: Send) -> Send:
    """Give every answer the headers that it does not have."""
    if not web.headers:
        return send

    async def marked(message: Event) -> None:
        if message["type"] == "http.response.start":
            own = list(message["headers"])
            names = {name.lower() for name, _ in own}
            message = {**message, "headers": own + [header for header in web.headers if header[0] not in names]}
        await send(message)

    return marked


async def _refuse(reason: str, scope: Scope, send: Send) -> None:
    status, text, more = {
        "rate": (429, b"Too many requests.\n", [(b"retry-after", b"1")]),
        "busy": (503, b"Too many logins wait: ask again.\n", [(b"retry-after", b"1")]),
        "credentials": (401, b"Expected a user and password.\n", [CHALLENGE]),
    }[reason]
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text)), *more]
    if any(name == b"expect" for name, _ in scope["headers"]):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else text})
