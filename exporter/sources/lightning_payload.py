"""What an Agent Lightning 0.3.0 store sends beside its workers, decoded: rollouts, their attempts, statistics.

Shapes: `types/core.py`.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec

from exporter.records import Attempt
from exporter.sources.decode import Count, envelope, items


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    total: Count


class _Attempt(msgspec.Struct):
    attempt_id: str
    status: str
    rollout_id: str | None = None
    worker_id: str | None = None
    last_heartbeat_time: float | None = None


class _Rollout(msgspec.Struct):
    rollout_id: str
    status: str
    attempt: _Attempt | None = None


class _Statistics(msgspec.Struct):
    uptime: float | None = None


_PAGE = msgspec.json.Decoder(_Page)
_ROLLOUT = msgspec.json.Decoder(_Rollout)
_ATTEMPT = msgspec.json.Decoder(_Attempt)
_STATISTICS = msgspec.json.Decoder(_Statistics)


class RolloutsPage(NamedTuple):
    """A page of rollouts: their statuses by id, and their newest attempts; `size` and `total` as in `WorkersPage`."""

    statuses: dict[str, str]
    attempts: list[Attempt]
    size: int
    total: int


def parse_rollouts(body: bytes, fleet: str, drift: Counter[str]) -> RolloutsPage:
    """Decode a page of `/rollouts`; raises SourceError("malformed"). A malformed rollout is left out as drift."""
    page = envelope(body, _PAGE, "a page of rollouts")
    rollouts = items(page.items, _ROLLOUT, "rollouts", drift)
    attempts = [_attempt(fleet, said.rollout_id, said.attempt) for said in rollouts if said.attempt is not None]
    return RolloutsPage({said.rollout_id: said.status for said in rollouts}, attempts, len(page.items), page.total)


def parse_attempts(body: bytes, fleet: str, rollout: str, drift: Counter[str]) -> list[Attempt]:
    """Decode `/rollouts/{id}/attempts`; raises SourceError("malformed"). A malformed attempt is left out as drift."""
    page = envelope(body, _PAGE, "a page of attempts")
    return [_attempt(fleet, rollout, said) for said in items(page.items, _ATTEMPT, "attempts", drift)]


def parse_uptime(body: bytes) -> float | None:
    """Decode `/statistics`: seconds since the store started; raises SourceError("malformed")."""
    return envelope(body, _STATISTICS, "statistics").uptime


def _attempt(fleet: str, rollout: str, said: _Attempt) -> Attempt:
    return Attempt(fleet, rollout, said.attempt_id, said.status, said.worker_id, said.last_heartbeat_time)
