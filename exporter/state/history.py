"""The last changes of state or status of each node and worker, in memory since the start."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import NamedTuple

KINDS = ("node", "worker")
"""What moves are kept of."""

EACH = 20
"""Moves that are remembered of one of them, at most."""

MOST = 100_000
"""Moves that are remembered in all, at most: those of the nodes and workers that moved last."""


class Move(NamedTuple):
    """From which state or status to which, when in Unix seconds; None is "not there"."""

    at: float
    origin: str | None
    target: str | None


class History:
    """The last moves of the nodes and workers of all fleets; safe for threads. `since` is from when on."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._moves: dict[tuple[str, str, str], tuple[Move, ...]] = {}
        self._count = 0
        self._since: dict[tuple[str, str], float] = {}
        self._lock = Lock()

    def note(self, fleet: str, kind: str, moves: Iterable[tuple[str, str | None, str | None]], now: float) -> None:
        """Add moves made at `now`: name, from, to. Those of none of `KINDS` are not kept."""
        if kind not in KINDS:
            return
        with self._lock:
            self._since.setdefault((fleet, kind), now)
            for name, origin, target in moves:
                before = self._moves.pop((fleet, kind, name), ())
                after = (*before, Move(now, origin, target))[-EACH:]
                self._moves[fleet, kind, name] = after
                self._count += len(after) - len(before)
            self._bound()

    def drop(self, fleet: str, kind: str, names: Iterable[str]) -> None:
        """Drop the moves of those that are remembered no longer."""
        if kind not in KINDS:
            return
        with self._lock:
            for name in names:
                self._count -= len(self._moves.pop((fleet, kind, name), ()))

    def _bound(self) -> None:
        """Drop those that moved longest ago; a dict's first key costs as much as all that were dropped before it."""
        over = self._count - self._most
        oldest = []
        for key, moves in self._moves.items():
            if over <= 0:
                break
            oldest.append(key)
            over -= len(moves)
        for key in oldest:
            self._count -= len(self._moves.pop(key))

    def forget(self, fleet: str) -> None:
        """Forget the moves of a fleet, and since when they are known."""
        with self._lock:
            for kind in KINDS:
                self._since.pop((fleet, kind), None)
            for key in [key for key in self._moves if key[0] == fleet]:
                self._count -= len(self._moves.pop(key))

    def of(self, fleet: str, name: str, kind: str = "worker") -> tuple[Move, ...]:
        """The last moves of a worker or node, the oldest first."""
        with self._lock:
            return self._moves.get((fleet, kind, name), ())

    def since(self, fleet: str, kind: str = "worker") -> float | None:
        """Since when moves of a fleet's workers or nodes are known; None while none was ever observed."""
        with self._lock:
            return self._since.get((fleet, kind))
