"""What an Agent Lightning 0.3.0 store sends beside its workers, decoded: rollouts, their attempts, statistics.

Shapes: `types/core.py`.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec

from exporter.records import Attempt
from exporter.sources.decode import UNDECODABLE, Count, check_names, check_page, envelope, items


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


class _WholePage(msgspec.Struct):
    items: list[_Rollout]
    total: Count


class _Statistics(msgspec.Struct):
    uptime: float | None = None


_WHOLE_PAGE = msgspec.json.Decoder(_WholePage)
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


def parse_rollouts(body: bytes, fleet: str, drift: Counter[str], most: int | None = None) -> RolloutsPage:
    """Decode a page of `/rollouts`; raises SourceError, as `envelope` does, and "too_large" for more than `most`.

    A malformed rollout is left out as drift.
    """
    check_names(body, b'"rollout_id"', most, "rollouts")
    page: _WholePage | _Page
    try:
        page = _WHOLE_PAGE.decode(body)
        rollouts = page.items
    except UNDECODABLE:
        # Something is malformed: each is decoded for itself, so that only this is left out.
        page = raw = envelope(body, _PAGE, "a page of rollouts", drift)
        check_page(len(raw.items), most, "rollouts")
        rollouts = items(raw.items, _ROLLOUT, "rollouts", drift)
    check_page(len(page.items), most, "rollouts")
    attempts = [_attempt(fleet, said.rollout_id, said.attempt) for said in rollouts if said.attempt is not None]
    return RolloutsPage({said.rollout_id: said.status for said in rollouts}, attempts, len(page.items), page.total)


def parse_attempts(body: bytes, fleet: str, rollout: str, drift: Counter[str]) -> list[Attempt]:
    """Decode `/rollouts/{id}/attempts`; raises SourceError("malformed"). A malformed attempt is left out as drift."""
    page = envelope(body, _PAGE, "a page of attempts", drift)
    return [_attempt(fleet, rollout, said) for said in items(page.items, _ATTEMPT, "attempts", drift)]


def parse_uptime(body: bytes) -> float | None:
    """Decode `/statistics`: seconds since the store started; raises SourceError("malformed")."""
    return envelope(body, _STATISTICS, "statistics").uptime


def _attempt(fleet: str, rollout: str, said: _Attempt) -> Attempt:
    return Attempt(fleet, rollout, said.attempt_id, said.status, said.worker_id, said.last_heartbeat_time)
