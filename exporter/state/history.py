"""The last changes of status of each worker, in memory since the start."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import NamedTuple

EACH = 20
"""Moves that are remembered of one worker, at most."""

MOST = 100_000
"""Moves that are remembered in all, at most: those of the workers that moved last."""


class Move(NamedTuple):
    """From which status to which, when in Unix seconds; None is "not there"."""

    at: float
    origin: str | None
    target: str | None


class History:
    """The last moves of the workers of all fleets; safe for threads. `since` is from when on, by fleet."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._moves: dict[tuple[str, str], tuple[Move, ...]] = {}
        self._count = 0
        self._since: dict[str, float] = {}
        self._lock = Lock()

    def note(self, fleet: str, kind: str, moves: Iterable[tuple[str, str | None, str | None]], now: float) -> None:
        """Add moves made at `now`: name, from, to. Those of anything but workers are not kept."""
        if kind != "worker":
            return
        with self._lock:
            self._since.setdefault(fleet, now)
            for name, origin, target in moves:
                before = self._moves.pop((fleet, name), ())
                after = (*before, Move(now, origin, target))[-EACH:]
                self._moves[fleet, name] = after
                self._count += len(after) - len(before)
            self._bound()

    def drop(self, fleet: str, kind: str, names: Iterable[str]) -> None:
        """Drop the moves of those that are remembered no longer."""
        if kind != "worker":
            return
        with self._lock:
            for name in names:
                self._count -= len(self._moves.pop((fleet, name), ()))

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
            self._since.pop(fleet, None)
            for key in [key for key in self._moves if key[0] == fleet]:
                self._count -= len(self._moves.pop(key))

    def of(self, fleet: str, name: str) -> tuple[Move, ...]:
        """The last moves of a worker, the oldest first."""
        with self._lock:
            return self._moves.get((fleet, name), ())

    def since(self, fleet: str) -> float | None:
        """Since when moves of a fleet's workers are known; None while none was ever observed."""
        with self._lock:
            return self._since.get(fleet)
