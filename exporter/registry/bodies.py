"""What requests carry: JSON as the standard library reads it, and snapshots that are bounded in size and depth."""

from __future__ import annotations

import enum
import json
from typing import Any, Final

import msgspec

from exporter.registry.answers import encoded
from exporter.state.events import Heartbeat

BEATS = "heartbeats"
"""No worker's id: the path of this name takes the heartbeats of many."""

STATS_BYTES = 2**16
"""The most bytes of one snapshot, as JSON without spaces."""

DEPTH = 16
"""The most levels of objects and lists in a snapshot, itself the first."""

LONGEST_NAME = 512
"""The most characters of a worker's, a rollout's or an attempt's id."""

UNSAID: Final = msgspec.UNSET
"""Stands for what is not there at all, not even null."""


class Unusual(enum.Enum):
    """A body that has to be read as LightningStore reads it, for its error or its encoding."""

    UNUSUAL = enum.auto()


UNUSUAL: Final = Unusual.UNUSUAL
UNREADABLE = "There was an error parsing the body"

_decode = msgspec.json.Decoder().decode
_DECODING = (msgspec.DecodeError, ValueError, RecursionError)


class WrongError(Exception):
    """A request that is answered with an error; `reason` is what it is counted by, None for one that is just wrong."""

    def __init__(self, status: int, detail: object, reason: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.detail = detail
        self.reason = reason


def parsed(body: bytes) -> Any:
    """Read JSON as FastAPI does, `UNSAID` for an empty body; raises WrongError."""
    if not body:
        return UNSAID
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        said = {"loc": ["body", error.pos], "msg": "JSON decode error", "input": {}, "ctx": {"error": error.msg}}
        raise WrongError(422, [{"type": "json_invalid", **said}]) from None
    except (ValueError, RecursionError):
        raise WrongError(400, UNREADABLE) from None


def storable(value: Any) -> Any:
    """Give back what can be written as UTF-8; raises WrongError."""
    try:
        if value is not UNSAID:
            encoded(value)
    except (UnicodeEncodeError, RecursionError):
        raise WrongError(400, UNREADABLE) from None
    return value


def canonical(stats: dict[str, Any], name: str = "heartbeat_stats") -> bytes:
    """Give a snapshot as JSON without spaces; raises WrongError for one that is too large or too deep.

    A number that is not finite becomes null, as in a LightningStore's answers.
    """
    try:
        text = encoded(stats)
    except UnicodeEncodeError:
        raise WrongError(400, f"{name} is invalid; it holds half a surrogate pair.") from None
    except RecursionError:
        raise _too_deep(name) from None
    if len(text) > STATS_BYTES:
        raise WrongError(413, f"{name} is too large; expected at most {STATS_BYTES} bytes, got {len(text)}.", "body")
    if text.count(b"{") + text.count(b"[") > DEPTH and _is_deep(stats):
        raise _too_deep(name)
    return text


def usual(body: bytes) -> bytes | Unusual | None:
    """Read a heartbeat as most are; gives its snapshot as JSON, None without one, `UNUSUAL` for any other body.

    Raises WrongError.
    """
    if not body:
        return None
    try:
        value = _decode(body)
    except _DECODING:
        return UNUSUAL
    stats = value.get("heartbeat_stats", UNSAID) if type(value) is dict else None
    if type(stats) is dict:
        return canonical(stats)
    return None if stats is UNSAID else UNUSUAL


def heartbeat(body: bytes) -> bytes | None:
    """Read a heartbeat; gives its snapshot as JSON, None without one, raises WrongError."""
    stats = usual(body)
    if stats is UNUSUAL:
        from exporter.registry.query import stats_of

        return stats_of(body)
    return stats


def heartbeats(body: bytes) -> tuple[Heartbeat, ...]:
    """Read heartbeats of many workers; null or an empty object is one without a snapshot. Raises WrongError."""
    try:
        value = _decode(body)
    except _DECODING:
        value = None
    beats = value.get("heartbeats") if type(value) is dict else None
    if type(beats) is not dict or not all(map(_is_beat, beats, beats.values())):
        from exporter.registry.query import beats_of

        beats = beats_of(body)
    return tuple(
        Heartbeat(worker, canonical(stats, f"heartbeats.{worker}") if stats else None)
        for worker, stats in beats.items()
    )


def not_a_worker(loc: tuple[str, ...]) -> dict[str, Any]:
    """Give an error, as pydantic's are, for a worker named like the path that takes many heartbeats."""
    return {"type": "value_error", "loc": loc, "msg": f"A worker cannot be called {BEATS}", "input": BEATS}


def _is_beat(worker: str, stats: object) -> bool:
    return (
        worker != BEATS
        and 0 < len(worker) <= LONGEST_NAME
        and "/" not in worker
        and (stats is None or type(stats) is dict)
    )


def _is_deep(value: Any) -> bool:
    layer = [value]
    for _ in range(DEPTH):
        within = [each.values() if isinstance(each, dict) else each for each in layer]
        layer = [child for children in within for child in children if isinstance(child, (dict, list))]
        if not layer:
            return False
    return True


def _too_deep(name: str) -> WrongError:
    return WrongError(400, f"{name} is invalid; expected at most {DEPTH} levels, got more.", "depth")
