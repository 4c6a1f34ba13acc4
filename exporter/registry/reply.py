"""Answers on their way to a client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from exporter.asgi import Send
from exporter.registry.answers import detail

Headers = tuple[tuple[bytes, bytes], ...]

CONTENT_TYPE = (b"content-type", b"application/json")
CLOSE: Headers = ((b"connection", b"close"),)


class Reply(NamedTuple):
    """Status and JSON; `more` gives the pieces that follow `body` where they are not made at once."""

    status: int
    body: bytes
    headers: Headers = ()
    more: AsyncIterator[bytes] | None = None

    @property
    def fields(self) -> Headers:
        """All headers but those of its length."""
        return (CONTENT_TYPE, *self.headers)

    async def send(self, send: Send) -> None:
        """Send it; waits for a slow client between two pieces."""
        headers = [*self.fields]
        if self.more is None:
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if self.more is not None:
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
            async for piece in self.more:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": self.body})


def refused(status: int, said: object, headers: Headers = ()) -> Reply:
    """Give an error as FastAPI does: what is wrong, under `detail`; raises RecursionError for what is too deep."""
    return Reply(status, detail(said), headers)
