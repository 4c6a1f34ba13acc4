"""The types of ASGI 3 (https://asgi.readthedocs.io/en/latest/specs/main.html), and an answer in one piece."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
"""What is known of a request before its body."""

Event = MutableMapping[str, Any]
"""A part of a request, or of an answer."""

Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
"""Answers a request."""


class Pages(Protocol):
    """An ASGI application for some paths."""

    def has(self, path: str) -> bool:
        """Tell whether it answers at a path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> None:
        """Answer a request at one of them."""


async def answer(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
    """Send an answer that is over once it is written: who has read it all may ask the next thing at once."""
    fields = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
