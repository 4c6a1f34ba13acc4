"""Asks an ASGI application one question, without a server."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from exporter.asgi import ASGIApp, Receive, Scope, Send, answer


class Answered(NamedTuple):
    """An answer: status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(app: ASGIApp, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answered:
    """Send one request; an underscore in a header's name stands for a hyphen."""
    sent: list[Any] = []
    halves = [body[len(body) // 2 :], body[: len(body) // 2]]

    async def receive() -> Any:
        return {"type": "http.request", "body": halves.pop(), "more_body": bool(halves)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": "",
        "headers": [(name.replace("_", "-").encode(), text.encode("latin-1")) for name, text in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    start = sent[0]
    found = {name.decode(): text.decode("latin-1") for name, text in start["headers"]}
    return Answered(start["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))


class OnePage:
    """A site that has nothing but `/`, which says `page`."""

    def has(self, path: str) -> bool:
        """Tell whether it answers at a path."""
        return path == "/"

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer."""
        await answer(send, 200, [(b"content-type", b"text/html")], b"page")
