"""One request to the registry."""

from __future__ import annotations

from typing import Any

from exporter.asgi import Receive, Scope
from exporter.registry.admission import too_large
from exporter.registry.bodies import BEATS, LONGEST_NAME, WrongError, not_a_worker


class GoneError(Exception):
    """The client went away before its request was whole."""


class Budget:
    """How many bytes of bodies may be held while they arrive, all requests together."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self, size: int) -> bool:
        """Hold so many more; false, and nothing held, where they are too many."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give(self, size: int) -> None:
        """Hold so many less."""
        self._left += size


class Asked:
    """Whose request it is, which worker it is about, and its body of at most `most` bytes, read when it is wanted."""

    __slots__ = ("_budget", "_receive", "_worker", "client", "most", "query_string")

    def __init__(
        self, scope: Scope, receive: Receive, client: str, worker: str, most: int, budget: Budget | None = None
    ) -> None:
        self._receive = receive
        self._budget = budget or Budget(most)
        self._worker = worker
        self.client = client
        self.query_string: bytes = scope["query_string"]
        self.most = most

    @property
    def worker(self) -> str:
        """The worker's id; raises WrongError for one that is too long to be kept."""
        if len(self._worker) > LONGEST_NAME:
            raise WrongError(422, [too_long(self._worker)])
        return self._worker

    @property
    def registrant(self) -> str:
        """The id of a worker that may be new; raises WrongError for one that could send no heartbeat."""
        if self._worker == BEATS:
            raise WrongError(422, [not_a_worker(("path", "worker_id"))])
        return self.worker

    async def body(self) -> bytes:
        """Read the whole body; raises WrongError where it is too long or there is no room for it, and GoneError."""
        body, more = bytearray(), True
        held = 0
        try:
            while more and len(body) <= self.most:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise GoneError
                piece, more = message.get("body", b""), message.get("more_body", False)
                if not self._budget.take(len(piece)):
                    raise WrongError(503, "The registry is busy.", "busy")
                held += len(piece)
                body += piece
        finally:
            self._budget.give(held)
        if len(body) > self.most:
            raise WrongError(413, too_large(self.most), "body")
        return bytes(body)


def too_long(name: str) -> dict[str, Any]:
    """Give pydantic's error for a text that is too long."""
    said = f"String should have at most {LONGEST_NAME} characters"
    return {
        "type": "string_too_long",
        "loc": ["path", "worker_id"],
        "msg": said,
        "input": name,
        "ctx": {"max_length": LONGEST_NAME},
    }
