"""The registry's answers, as LightningStore gives them: Agent Lightning 0.3.0, `types/core.py`, FastAPI's errors."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from exporter.records.registry import Registered

encoded = msgspec.json.Encoder().encode
"""JSON as bytes, without spaces."""

NULL = b"null"

PAGE_START = b'{"items":['

LEVELS = 256
"""Levels of nesting that an error may repeat of what a client sent."""


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a LightningStore counts; a registry has only workers. `uptime` is in seconds."""

    name: str = "Rollcall"
    total_rollouts: int = 0
    total_attempts: int = 0
    total_spans: int = 0
    total_resources: int = 0
    total_workers: int
    uptime: float


class WorkerJson(msgspec.Struct, frozen=True, gc=False):
    """A worker as clients see it, field by field in Agent Lightning's order; `heartbeat_stats` is JSON already."""

    worker_id: str
    status: str
    heartbeat_stats: msgspec.Raw
    last_heartbeat_time: float | None
    last_dequeue_time: float | None
    last_busy_time: float | None
    last_idle_time: float | None
    current_rollout_id: str | None
    current_attempt_id: str | None

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> WorkerJson:
        """Take the columns of a row in the order of the fields."""
        worker_id, status, stats, *rest = row
        return cls(worker_id, status, msgspec.Raw(NULL if stats is None else stats), *rest)


def worker(registered: Registered) -> bytes:
    """One worker."""
    held = registered
    stats = msgspec.Raw(NULL if held.stats is None else held.stats)
    times = (held.last_heartbeat, held.last_dequeue, held.last_busy, held.last_idle)
    return encoded(WorkerJson(held.worker_id, held.status, stats, *times, held.rollout, held.attempt))


def page_end(limit: int, offset: int, total: int) -> bytes:
    """What follows the items of a list of workers, which begins with `PAGE_START`."""
    return b'],"limit":%d,"offset":%d,"total":%d}' % (limit, offset, total)


def detail(said: object) -> bytes:
    """An error; what JSON in UTF-8 cannot say, a client's own NaN or half a surrogate pair, is null or U+FFFD.

    Raises RecursionError for what is deeper than `LEVELS`: how deep Python itself can go differs between its versions.
    """
    text = json.dumps({"detail": _finite(said, LEVELS)}, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _finite(said: Any, levels: int) -> Any:
    if not levels:
        raise RecursionError
    if isinstance(said, float):
        return said if math.isfinite(said) else None
    if isinstance(said, dict):
        return {key: _finite(value, levels - 1) for key, value in said.items()}
    if isinstance(said, (list, tuple)):
        return [_finite(value, levels - 1) for value in said]
    return said
