"""A registry for tests of whoever reports to one: it keeps the real rules, remembers requests, and can fail."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import unquote

from exporter.records.registry import Registered
from exporter.sources.fetch import Fetched
from exporter.sources.source import SourceError
from exporter.state.events import AttemptReport, Dequeue, Event, Heartbeat, after

PATIENCE = 60.0


class Asked(NamedTuple):
    """A request: its verb is heartbeat, dequeue, attempt, goodbye, or another path; `body` is None without one."""

    verb: str
    worker: str
    body: Any

    def __str__(self) -> str:
        """How tests name it: `dequeue`, `dequeue nothing`, `attempt running`, …"""
        if self.verb == "dequeue":
            return "dequeue" if self.body["claimed"] else "dequeue nothing"
        return f"attempt {self.body['status']}" if self.verb == "attempt" else self.verb


class Book:
    """What a registry holds. `failing` is None, or the status with which it refuses everything.

    With `lightning` it is a LightningStore: it has no verbs but heartbeats.
    """

    def __init__(self, *, lightning: bool = False) -> None:
        self.workers: dict[str, Registered] = {}
        self.asked: list[Asked] = []
        self.failing: int | None = None
        self.lightning = lightning
        self._changed = threading.Condition()

    @property
    def said(self) -> list[str]:
        """What was asked, in words."""
        return [str(asked) for asked in self.asked]

    def until(self, condition: Callable[[Book], object]) -> None:
        """Wait until a condition holds; it is looked at after every request."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), PATIENCE), self.said

    def ask(self, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
        """Answer one request."""
        with self._changed:
            asked = _asked(method, path, body)
            self.asked.append(asked)
            self._changed.notify_all()
            if self.failing is not None:
                return self.failing, None
            if self.lightning and asked.verb != "heartbeat":
                return 405, None
            if asked.verb == "goodbye":
                self.workers.pop(asked.worker, None)
                return 200, None
            worker = after(self.workers.get(asked.worker), _event(asked), time.time())
            self.workers[asked.worker] = worker
            held = {"current_rollout_id": worker.rollout, "current_attempt_id": worker.attempt}
            return 200, {"worker_id": worker.worker_id, "status": worker.status, **held}

    def dial(self, seconds: float) -> Call:
        """A line to it without a network."""
        return Call(self)


class Call:
    """A line to a book."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def __enter__(self) -> Call:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def post(self, path: str, body: bytes) -> Fetched:
        return self._ask("POST", path, body)

    def delete(self, path: str) -> Fetched:
        return self._ask("DELETE", path, None)

    def _ask(self, method: str, path: str, body: bytes | None) -> Fetched:
        status, answer = self._book.ask(method, path, body)
        if status == 0:
            raise SourceError("refused", "expected a connection, got none")
        if status not in (200, 201):
            raise SourceError("http", f"expected status 200, got {status}", status)
        return Fetched(json.dumps(answer).encode(), None, status)


def _asked(method: str, path: str, body: bytes | None) -> Asked:
    parts = [unquote(part) for part in path.removeprefix("/v1/agl/workers/").split("/")]
    verb = "goodbye" if method == "DELETE" else "/".join(parts[1:]) or "heartbeat"
    return Asked(verb, parts[0], None if body is None else json.loads(body))


def _event(asked: Asked) -> Event:
    body, worker = asked.body, asked.worker
    if asked.verb == "dequeue":
        return Dequeue(worker, body["claimed"], body.get("rollout_id"), body.get("attempt_id"))
    if asked.verb == "attempt":
        return AttemptReport(worker, body["rollout_id"], body["attempt_id"], body["status"])
    stats = body.get("heartbeat_stats")
    return Heartbeat(worker, None if stats is None else json.dumps(stats).encode())
