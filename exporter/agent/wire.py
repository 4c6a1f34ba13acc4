"""The requests by which a worker reports: to a registry, or to a LightningStore of Agent Lightning 0.3.0.

A store has neither the registry's verbs for dequeues and attempts nor a goodbye: it answers them with 405, or 404.
Its own dequeue would take work.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from exporter.agent.duty import Asked, Held, Step
from exporter.endpoint import Endpoint
from exporter.sources.fetch import Fetched, Resolver, Session, tls_context
from exporter.sources.source import Deadline, SourceError

T = TypeVar("T")

API = "/v1/agl"
NO_SUCH_VERB = (404, 405)

MAX_BYTES = 2**20
"""Bytes of an answer at most: it repeats the heartbeat's snapshot."""


class Line(Protocol):
    """A connection to a registry under one deadline; a context manager. Every request may raise SourceError."""

    def __enter__(self) -> Line: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def post(self, path: str, body: bytes) -> Fetched:
        """POST JSON."""
        ...

    def delete(self, path: str) -> Fetched:
        """DELETE."""
        ...


Dial = Callable[[float], Line]
"""Opens a line for so many seconds in all; raises SourceError."""


class Telephone:
    """Opens lines to one endpoint, and keeps its TLS context from one to the next."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._resolve = Resolver()
        self._context: ssl.SSLContext | None = None

    def __call__(self, seconds: float) -> Session:
        """A line that ends after `seconds`; raises SourceError("tls") where no certificates can be loaded."""
        if self._context is None and self._endpoint.scheme == "https":
            self._context = tls_context(self._endpoint)
        return Session(
            self._endpoint,
            Deadline(seconds),
            resolve=self._resolve,
            max_bytes=MAX_BYTES,
            context=self._context,
            statuses=(200, 201),
        )


class Answer(msgspec.Struct):
    """A worker as a registry or a store sees it, as far as the worker needs to know."""

    status: str
    current_rollout_id: str | None = None
    current_attempt_id: str | None = None

    @property
    def held(self) -> Held:
        """What it seems to hold."""
        return Held(self.current_rollout_id, self.current_attempt_id)


class _Attempt(msgspec.Struct):
    attempt_id: str


class _Started(msgspec.Struct):
    rollout_id: str
    attempt: _Attempt


_ANSWER = msgspec.json.Decoder(Answer)
_STARTED = msgspec.json.Decoder(_Started)


class Registry:
    """How one worker reports to a registry."""

    def __init__(self, worker_id: str) -> None:
        self._path = f"{API}/workers/{quote(worker_id, safe='')}"

    def beat(self, line: Line, stats: dict[str, Any] | None) -> Answer:
        """Send a heartbeat, which a store understands too; `stats` is a snapshot of the machine."""
        fetched = line.post(self._path, msgspec.json.encode({} if stats is None else {"heartbeat_stats": stats}))
        return _decoded(fetched, _ANSWER, "a worker")

    def tell(self, line: Line, step: Step) -> None:
        """Tell one thing that the worker did."""
        if isinstance(step, Asked):
            body: dict[str, Any] = {"claimed": step.held is not None}
            if step.held is not None and step.held.rollout is not None:
                body |= {"rollout_id": step.held.rollout, "attempt_id": step.held.attempt}
            line.post(f"{self._path}/dequeue", msgspec.json.encode(body))
            return
        report = {"rollout_id": step.rollout, "attempt_id": step.attempt, "status": step.status}
        line.post(f"{self._path}/attempt", msgspec.json.encode(report))

    def goodbye(self, line: Line) -> None:
        """Leave: the registry forgets the worker."""
        line.delete(self._path)


class Rollouts:
    """How one worker tells a store what it does, if it is to: a rollout of the store's for each that it works on."""

    def __init__(self, worker_id: str) -> None:
        self._worker_id = worker_id
        self._under_way: tuple[Held, str] | None = None

    def tell(self, line: Line, step: Step) -> None:
        """Start a rollout, or report how its attempt ended; a store has nothing for what is asked for.

        Of a rollout that the store has lost, nothing is said any more. Rule: `start_rollout` and `update_attempt` of
        `store/client_server.py`; it answers 500 for one that it does not know.
        """
        if isinstance(step, Asked):
            return
        held = Held(step.rollout, step.attempt)
        if self._under_way is None or self._under_way[0] != held:
            if step.status != "running":
                return
            self._under_way = held, self._start(line, held)
        path = self._under_way[1]
        if step.status != "running":
            self._under_way = None
        try:
            line.post(path, msgspec.json.encode({"status": step.status}))
        except SourceError as error:
            self._under_way = None if error.status == 500 else (held, path)
            raise

    def forget(self) -> None:
        """Take it that the store has lost every rollout."""
        self._under_way = None

    def _start(self, line: Line, held: Held) -> str:
        body = {"input": {"rollout": held.rollout, "attempt": held.attempt}, "worker_id": self._worker_id}
        started = _decoded(line.post(f"{API}/rollouts", msgspec.json.encode(body)), _STARTED, "a rollout")
        rollout, attempt = quote(started.rollout_id, safe=""), quote(started.attempt.attempt_id, safe="")
        return f"{API}/rollouts/{rollout}/attempts/{attempt}"


def _decoded(fetched: Fetched, decoder: msgspec.json.Decoder[T], what: str) -> T:
    """Decode an answer; raises SourceError("malformed")."""
    try:
        return decoder.decode(fetched.body)
    except (msgspec.DecodeError, RecursionError):
        found = f"expected {what}, got something else"
    raise SourceError("malformed", found)
