"""Simulated time: the events to come, and what a wall clock shows when they happen."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

import msgspec


class Timeline(msgspec.Struct, frozen=True):
    """Simulated seconds on a wall clock: `epoch` is the Unix time of their zero, `speed` how many pass in a second."""

    epoch: float
    speed: float = 1.0

    def wall(self, instant: float) -> float:
        """Unix time in seconds of a simulated instant."""
        return self.epoch + instant / self.speed


class Agenda:
    """What happens when, in simulated seconds; at one instant, first come first served."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Have `action` called when `seconds` of simulated time have passed."""
        heapq.heappush(self._events, (self.now + seconds, next(self._order), action))

    def advance(self, seconds: float) -> None:
        """Let simulated time pass, and everything happen that falls into it."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = end
