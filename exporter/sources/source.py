"""What a source is: a name and a `read()` that returns a reading within a deadline, or raises `SourceError`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from exporter.records.reading import ConsolesReading, InventoryReading, MeshReading, StoreReading

Reading = MeshReading | ConsolesReading | StoreReading | InventoryReading


class SourceError(Exception):
    """A read that failed; `result` is one of `READ_RESULTS`, the message names no secret.

    `status` is the HTTP status of an answer with another one than 200.
    """

    def __init__(self, result: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.result = result
        self.status = status


class Deadline:
    """An instant by which a whole read must be over, on a monotonic clock in seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = clock() + seconds

    def left(self) -> bool:
        """Tell whether there is time left."""
        return self._clock() < self._end

    def within(self, seconds: float) -> Deadline:
        """The earlier of this deadline and one `seconds` from now; raises SourceError("timeout") after its end."""
        return Deadline(min(seconds, self.remaining()), self._clock)

    def remaining(self) -> float:
        """Seconds left, always more than 0; raises SourceError("timeout") when there are none."""
        left = self._end - self._clock()
        if left <= 0:
            raise SourceError("timeout", f"no whole answer within {self._seconds:g} s")
        return left


class Pace(NamedTuple):
    """How often a source is read, how long a read may take, and how long its answer counts, in seconds.

    An `optional` source is one that nobody configured: it exports nothing until it has answered.
    """

    interval: float
    timeout: float
    stale_after: float
    optional: bool = False


class Source(Protocol):
    """Anything that can be read: one console of a mesh, one store, one inventory."""

    fleet: str
    name: str
    kind: str
    pace: Pace

    def read(self, deadline: Deadline) -> Reading:
        """Ask the world; raises SourceError."""
        ...
