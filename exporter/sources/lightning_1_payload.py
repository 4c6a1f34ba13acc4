"""What an Agent Lightning 1.x server sends, decoded: its health, unfinished rollouts, the log of finished ones.

Shapes: agentlightning 1.0.0, `server/app.py`, `server/routes/rollouts.py` and `schemas.py`. A rollout's `input` may be
large; only what is declared here is decoded.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec

from exporter.sources.decode import UNDECODABLE, Count, check_names, envelope, items, placed
from exporter.sources.source import SourceError


class _Health(msgspec.Struct):
    status: str


class _Status(msgspec.Struct):
    state: str


class _Rollout(msgspec.Struct):
    rollout_id: str
    status: _Status


class _Finished(msgspec.Struct):
    rollout_id: str
    state: str


class _Terminal(msgspec.Struct):
    items: list[msgspec.Raw]
    next_after: Count
    total_terminal: Count


_HEALTH = msgspec.json.Decoder(_Health)
_ROLLOUTS = msgspec.json.Decoder(list[msgspec.Raw])
_WHOLE_ROLLOUTS = msgspec.json.Decoder(list[_Rollout])
_ROLLOUT = msgspec.json.Decoder(_Rollout)
_TERMINAL = msgspec.json.Decoder(_Terminal)
_FINISHED = msgspec.json.Decoder(_Finished)


class RolloutList(NamedTuple):
    """Rollouts: their states by id; `size` counts the items, malformed ones too."""

    states: dict[str, str]
    size: int


class LogEntry(NamedTuple):
    """A rollout in the log of finished ones; one that was deleted and made anew has the new one's state."""

    rollout: str
    state: str


class LogPage(NamedTuple):
    """The positions from `after` up to, without, `next_after` of a log that is `total` long.

    `entries` are those rollouts that the server still has and that are well-formed. `first` and `last` are the ids at
    the first and the last position, None where that is not certain.
    """

    after: int
    next_after: int
    total: int
    entries: list[LogEntry]
    first: str | None
    last: str | None


def parse_health(body: bytes) -> None:
    """Check an answer for health, of 0.3 or 1.x; raises SourceError("malformed") unless its status is ok."""
    said = envelope(body, _HEALTH, "the health of an Agent Lightning server")
    if said.status != "ok":
        raise SourceError("malformed", "expected the health of an Agent Lightning server, got another status than ok")


def parse_unfinished(body: bytes, limit: int, drift: Counter[str]) -> RolloutList:
    """Decode `/api/rollouts`; raises SourceError, as `envelope` does. A malformed rollout is left out as drift."""
    check_names(body, b'"rollout_id"', limit, "rollouts")
    try:
        rollouts = _WHOLE_ROLLOUTS.decode(body)
        size = _within(len(rollouts), limit)
    except UNDECODABLE:
        # Something is malformed: each is decoded for itself, so that only this is left out.
        raws = envelope(body, _ROLLOUTS, "a list of rollouts", drift)
        size = _within(len(raws), limit)
        rollouts = items(raws, _ROLLOUT, "rollouts", drift)
    return RolloutList({said.rollout_id: said.status.state for said in rollouts}, size)


def _within(size: int, limit: int) -> int:
    if size > limit:
        raise SourceError("malformed", f"expected at most {limit} rollouts, got {size}")
    return size


def parse_log(body: bytes, after: int, limit: int, drift: Counter[str]) -> LogPage:
    """Decode `/api/rollouts/terminal`, asked for `limit` positions from `after` on; raises SourceError("malformed").

    A malformed item is left out as drift. The server leaves out those that were deleted, and steps over them.
    """
    page = envelope(body, _TERMINAL, "a page of finished rollouts", drift)
    steps = page.next_after - after
    if not 0 <= steps <= limit or page.next_after > max(after, page.total_terminal):
        most = max(after, min(after + limit, page.total_terminal))
        raise SourceError("malformed", f"expected a next_after from {after} to {most}, got {page.next_after}")
    if steps == 0 and page.total_terminal > after:
        raise SourceError("malformed", f"expected a next_after beyond {after}, got {page.next_after}")
    if len(page.items) > steps:
        raise SourceError("malformed", f"expected at most {steps} finished rollouts, got {len(page.items)}")
    found = {
        place: LogEntry(said.rollout_id, said.state)
        for place, said in placed(page.items, _FINISHED, "finished_rollouts", drift)
    }
    whole = len(page.items) == steps
    first, last = (found.get(place) if whole else None for place in (0, steps - 1))
    return LogPage(
        after,
        page.next_after,
        page.total_terminal,
        list(found.values()),
        None if first is None else first.rollout,
        None if last is None else last.rollout,
    )
