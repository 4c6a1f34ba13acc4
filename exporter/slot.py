"""One source, the thread that reads it on its own interval, and how that goes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from exporter.health import SourceHealth
from exporter.isolate import Attempted, isolated
from exporter.sources.source import Deadline, Reading, Source

log = logging.getLogger("rollcall")

GRACE = 5.0
"""Seconds beyond its interval and timeout that a source's turn may be late before the poller counts as stuck."""


class Slot:
    """A source that is read from `start` to `stop`; `deliver` is told how each reading went, and when that was.

    `clock` is monotonic. `health` is that of the source in whose place this one is read.
    """

    def __init__(
        self,
        source: Source,
        deliver: Callable[[Slot, Attempted[Reading], float], None],
        clock: Callable[[], float],
        health: SourceHealth | None = None,
    ) -> None:
        self.source = source
        self.health = health or SourceHealth(source)
        self.health.source = source
        self._deliver = deliver
        self._clock = clock
        self._turned = clock()
        self._stopping = Event()
        self.thread = Thread(target=self._read_for_ever, name=f"source {source.name}", daemon=True)

    @property
    def over(self) -> bool:
        """Whether it was stopped: nothing that it delivers counts any more."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Read at once, then at the source's interval from start to start."""
        self.thread.start()

    def stop(self) -> None:
        """Read no more; a read that is under way is not waited for."""
        self._stopping.set()

    def is_late(self, now: float) -> bool:
        """Tell whether the next turn should have come long ago."""
        pace = self.source.pace
        return now - self._turned > pace.interval + pace.timeout + GRACE

    def overdue(self, now: float) -> Attempted[Reading]:
        """What a read that does not come back counts as."""
        return Attempted(None, "timeout", "a read does not come back", now - self._turned)

    def take(self, attempted: Attempted[Reading], wall: float) -> None:
        """Count a reading that ended at `wall`, in Unix seconds, and log it where the source is up or down now."""
        source, health = self.source, self.health
        known, was_up = health.attempted, health.up
        health.take(attempted, wall)
        said = {"fleet": source.fleet, "source": source.name, "result": health.result}
        if attempted.message:
            said["error"] = attempted.message
        if (known and health.up == was_up) or (source.pace.optional and not health.answered):
            log.debug("read a source", extra={"said": said})
        elif health.up:
            log.info("a source is up", extra={"said": said})
        else:
            log.warning("a source is down", extra={"said": said})

    def turn(self) -> None:
        """Read once, and deliver it."""
        self._turned = self._clock()
        attempted = isolated(self.source.name, self._read, self._clock)
        self._deliver(self, attempted, self._clock())

    def _read(self) -> Reading:
        return self.source.read(Deadline(self.source.pace.timeout, self._clock))

    def _read_for_ever(self) -> None:
        interval, due = self.source.pace.interval, self._clock()
        while not self.over:
            self.turn()
            missed = max(0.0, self._clock() - due) // interval
            due += interval * (1 + missed)
            self._stopping.wait(due - self._clock())
