"""A store's answers without a network: what a read of LightningStore asks for, given by a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from exporter.endpoint import parse_url
from exporter.sources.agent_lightning import API, LightningStore
from exporter.sources.fetch import Fetched, Resolver
from exporter.sources.source import Deadline, Pace, SourceError

Answer = Callable[[str], bytes | Any]
"""Gives the body of a path below the API's root, whole with its query; bytes as they are, anything else as JSON."""


class Canned:
    """One read's requests: `answer` gives their bodies, `date` the store's clock, `asked` collects the paths."""

    def __init__(self, answer: Answer, date: float | None, deadline: Deadline, asked: list[str]) -> None:
        self._answer = answer
        self._date = date
        self._deadline = deadline
        self._asked = asked

    def get(self, path: str) -> Fetched:
        self._deadline.remaining()
        path = path.removeprefix(API)
        self._asked.append(path)
        body = self._answer(path)
        return Fetched(body if isinstance(body, bytes) else msgspec.json.encode(body), self._date)


class CannedStore:
    """A LightningStore whose answers a test changes between two reads; `asked` are the paths of the last read."""

    def __init__(self, fleet: str = "training", clock: Callable[[], float] = lambda: 0.0) -> None:
        self.answer: Answer = lambda path: {}
        self.date: float | None = None
        self.asked: list[str] = []
        self.source = LightningStore(
            fleet,
            parse_url("http://trainer:4747", 4747),
            Resolver(),
            Pace(10, 5, 30),
            clock=clock,
            monotonic=clock,
            connect=self._connect,
        )

    def read(self, answer: Answer, date: float | None, deadline: Deadline | None = None) -> Any:
        """Read once what `answer` gives at `date`."""
        self.answer, self.date, self.asked = answer, date, []
        return self.source.read(deadline or Deadline(20))

    def _connect(self, deadline: Deadline) -> nullcontext[Canned]:
        return nullcontext(Canned(self.answer, self.date, deadline, self.asked))


def store_answer(
    workers: Sequence[Any],
    rollouts: Sequence[Mapping[str, Any]] = (),
    uptime: float | None = None,
    attempts: Mapping[str, Sequence[Any]] | None = None,
) -> Answer:
    """Answer as a 0.3 store does that holds `workers` and `rollouts`, and by rollout the `attempts` there were.

    Lists come in pages and filtered by status, the figures of `/statistics` are `uptime` alone, and an unknown rollout
    is status 500.
    """

    def answer(path: str) -> Any:
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        if parts.path == "/workers":
            return page(workers, query)
        if parts.path == "/rollouts":
            wanted = query["status_in"]
            return page([rollout for rollout in rollouts if rollout["status"] in wanted], query)
        if parts.path == "/statistics":
            return {"uptime": uptime}
        rollout = unquote(parts.path.removeprefix("/rollouts/").removesuffix("/attempts"))
        if rollout not in (attempts or {}):
            raise SourceError("http", f"GET {parts.path}: expected status 200, got 500", 500)
        return page((attempts or {})[rollout], {})

    return answer


def page(items: Sequence[Any], query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The part of a list that `limit` and `offset` ask for, as the store sends it."""
    limit, offset = int(query.get("limit", ["-1"])[0]), int(query.get("offset", ["0"])[0])
    part = items[offset:] if limit == -1 else items[offset : offset + limit]
    return {"items": list(part), "limit": limit, "offset": offset, "total": len(items)}
