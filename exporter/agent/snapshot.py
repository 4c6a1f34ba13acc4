"""Describes the machine for a heartbeat, in parts, each read apart, so that one that hangs costs only itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from exporter.isolate import Attempted, isolated

PATIENCE = 1.0
"""Seconds that all parts of a snapshot have together."""

Figures = Mapping[str, Any]
Wait = Callable[[threading.Event, float], bool]


class Part(NamedTuple):
    """A part of a snapshot: `read` gives its fields, and under `absent` what of it hangs; raises CollectorError."""

    name: str
    read: Callable[[], Figures]


class _Reading:
    """One reading of a part, in a daemon thread of its own; `over` is set at its end."""

    def __init__(self, part: Part) -> None:
        self.over = threading.Event()
        self.attempted: Attempted[Figures] | None = None
        threading.Thread(target=self._run, args=(part,), name=f"snapshot {part.name}", daemon=True).start()

    def _run(self, part: Part) -> None:
        try:
            self.attempted = isolated(part.name, part.read)
        finally:
            self.over.set()


class Snapshot:
    """Reads the parts of one machine, for one thread.

    A part that hangs is left out and named under `absent`, as is one that fails; it is not read again before it comes
    back. `patience` is in seconds, `wall` gives Unix seconds, `wait(event, seconds)` tells whether it was set in time.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        about: Figures,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        wait: Wait = threading.Event.wait,
    ) -> None:
        self._parts = parts
        self._about = about
        self._patience = patience
        self._clock = clock
        self._wall = wall
        self._wait = wait
        self._hung: dict[str, _Reading] = {}

    def read(self) -> dict[str, Any]:
        """The snapshot: `timestamp` of its end in UTC, what is always so, and what the parts said in time."""
        self._hung = {name: reading for name, reading in self._hung.items() if not reading.over.is_set()}
        begun = {part.name: self._begin(part) for part in self._parts if part.name not in self._hung}
        end = self._clock() + self._patience
        found = dict(self._about)
        absent = list(self._hung)
        for name, reading in begun.items():
            if reading is not None and not self._wait(reading.over, max(0.0, end - self._clock())):
                self._hung[name] = reading
            elif reading is not None and reading.attempted is not None and reading.attempted.value is not None:
                found |= reading.attempted.value
                absent += reading.attempted.value.get("absent", ())
                continue
            absent.append(name)
        now = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds")
        return {"timestamp": now, **found, "absent": sorted(absent)}

    def _begin(self, part: Part) -> _Reading | None:
        try:
            return _Reading(part)
        except RuntimeError:
            # Python's answer to a system that gives no more threads.
            return None
