"""Reads every source on its own interval, and owns the current snapshot."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Condition, Event, Thread

from exporter.exposition import Exposition, Snapshot
from exporter.exposition.exposition import LeftOut
from exporter.health import SourceHealth
from exporter.isolate import Attempted, isolated
from exporter.records.table import Tables
from exporter.sources.source import Deadline, Reading, Source
from exporter.state.fleet import Fleet

log = logging.getLogger("rollcall")

GRACE = 5.0
"""Seconds beyond its interval and timeout that a source's turn may be late before the poller counts as stuck."""

DUTY = 4.0
"""Seconds that publishing pauses for each second it took, so that many sources cannot keep a processor busy."""


class Poller:
    """One thread per source reads it, one thread judges and publishes; a source that hangs holds up only itself.

    Readings go to an inbox; the publisher empties it whenever there is something, so that what arrives meanwhile is
    judged together. `clock` is monotonic, `wall` gives Unix time.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        fleets: Mapping[str, Fleet],
        exposition: Exposition,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._sources = tuple(sources)
        self._fleets = fleets
        self._exposition = exposition
        self._clock = clock
        self._wall = wall
        self._health = {id(source): SourceHealth(source) for source in sources}
        self._turned = dict.fromkeys(self._health, clock())
        self._inbox: list[tuple[Source, Attempted[Reading], float]] = []
        self._arrived = Condition()
        self._stopping = Event()
        self._published_at = clock()
        self._threads: list[Thread] = []
        self.snapshot: Snapshot = exposition.publish({})

    @property
    def health(self) -> list[SourceHealth]:
        """How the reading of each source goes."""
        return list(self._health.values())

    def start(self) -> None:
        """Start reading; every source at once, then each at its own interval from start to start."""
        self._threads = [Thread(target=self._publish_for_ever, name="publisher", daemon=True)]
        self._threads += [
            Thread(target=self._read_for_ever, args=(source,), name=f"source {source.name}", daemon=True)
            for source in self._sources
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Stop reading; waits at most `timeout` seconds for reads that are under way, and leaves the rest behind."""
        self._stopping.set()
        with self._arrived:
            self._arrived.notify_all()
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def turning(self) -> bool:
        """Tell whether the publisher and every source had their turn, and lately; false before the first."""
        now = self._clock()
        late = [
            source
            for source in self._sources
            if now - self._turned[id(source)] > source.interval + source.timeout + GRACE
        ]
        attempted = all(health.attempted for health in self._health.values())
        return attempted and not late and now - self._published_at <= GRACE and not self._stopping.is_set()

    def _read_for_ever(self, source: Source) -> None:
        due = self._clock()
        while not self._stopping.is_set():
            self._turned[id(source)] = self._clock()
            attempted = isolated(source.name, lambda: source.read(Deadline(source.timeout, self._clock)), self._clock)
            with self._arrived:
                self._inbox.append((source, attempted, self._clock()))
                self._arrived.notify_all()
            missed = max(0.0, self._clock() - due) // source.interval
            due += source.interval * (1 + missed)
            self._stopping.wait(due - self._clock())

    def _publish_for_ever(self) -> None:
        while not self._stopping.is_set():
            with self._arrived:
                self._arrived.wait_for(lambda: self._inbox or self._stopping.is_set(), timeout=1.0)
                inbox, self._inbox = self._inbox, []
            started = self._clock()
            if inbox:
                self._publish(inbox)
            self._published_at = self._clock()
            self._stopping.wait(min(1.0, DUTY * (self._published_at - started)))

    def _publish(self, inbox: Sequence[tuple[Source, Attempted[Reading], float]]) -> None:
        """Judge what arrived and publish the slices that it touches."""
        for source, attempted, at in inbox:
            self._receive(source, attempted, at)
        slices: dict[str, Tables | None] = {"sources": self._source_tables()}
        left_out: dict[str, LeftOut] = {}
        now = self._clock()
        for name in {source.fleet for source, _, _ in inbox}:
            if self._shown(name):
                slices["fleet " + name], left_out["fleet " + name] = self._fleets[name].tables(now)
        self.snapshot = self._exposition.publish(slices, left_out)

    def _receive(self, source: Source, attempted: Attempted[Reading], at: float) -> None:
        health = self._health[id(source)]
        known, was_up = health.attempted, health.up
        health.take(attempted, self._wall())
        if attempted.value is not None:
            self._fleets[source.fleet].receive(source.name, attempted.value, at + source.stale_after)
        if (known and health.up == was_up) or (source.optional and not health.answered):
            log.debug(
                "read source=%s fleet=%s result=%s %s", source.name, source.fleet, health.result, attempted.message
            )
        elif health.up:
            log.info("source is up source=%s fleet=%s", source.name, source.fleet)
        else:
            log.warning("source is down source=%s fleet=%s %s", source.name, source.fleet, attempted.message)

    def _shown(self, fleet: str) -> bool:
        """A fleet that only default sources belong to is there once one of them has answered."""
        health = [health for health in self._health.values() if health.source.fleet == fleet]
        return any(each.answered or not each.source.optional for each in health)

    def _source_tables(self) -> Tables:
        records = [record for health in self._health.values() for record in health.records()]
        return {
            table: tuple(record for record in records if type(record) is table) for table in set(map(type, records))
        }
