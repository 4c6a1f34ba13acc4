"""Reads every source on its own interval, and owns the current snapshot."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Condition, Event, Thread

from exporter.exposition import Exposition, Snapshot
from exporter.exposition.exposition import LeftOut
from exporter.health import SourceHealth
from exporter.isolate import Attempted, isolated
from exporter.records import NodeMemory, WorkerMemory
from exporter.records.reading import InventoryReading
from exporter.records.table import Tables
from exporter.sources.source import Deadline, Reading, Source
from exporter.state.evidence import FleetEvidence
from exporter.state.fleet import Fleet
from exporter.state.ledger import Ledger
from exporter.state.wakeable import unclear_in

Arrival = tuple[Source, Attempted[Reading], float]
"""A source, how reading it went, and when that was on the monotonic clock."""

log = logging.getLogger("rollcall")

GRACE = 5.0
"""Seconds beyond its interval and timeout that a source's turn may be late before the poller counts as stuck."""

SETTLING = 5.0
"""Seconds for which a fleet waits at the start until each of its sources had a turn: judged by those that were quicker,
its nodes would seem to leave or change, and to come back a moment later."""

BEAT = 1.0
"""Seconds after which the publisher looks for what is fresh no longer, when nothing arrives."""

DUTY = 4.0
"""Seconds that publishing pauses for each second it took, so that many sources cannot keep a processor busy."""


class Poller:
    """One thread per source reads it, one thread judges and publishes; a source that hangs holds up only itself.

    Readings go to an inbox; the publisher empties it whenever there is something, so that what arrives meanwhile is
    judged together. What a fleet's judgement changes is in the `ledger` before it is published. `clock` is monotonic,
    `wall` gives Unix time. `snapshot` and `evidence`, by fleet, are immutable, and replaced by the publisher.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        fleets: Mapping[str, Fleet],
        exposition: Exposition,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        ledger: Ledger | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._fleets = fleets
        self._exposition = exposition
        self._clock = clock
        self._wall = wall
        self._health = {id(source): SourceHealth(source) for source in sources}
        self._turned = dict.fromkeys(self._health, clock())
        self._inbox: list[Arrival] = []
        self._arrived = Condition()
        self._stopping = Event()
        self._started_at = self._published_at = clock()
        self._ledger = ledger or Ledger()
        self._waiting: set[str] = set()
        self._threads: list[Thread] = []
        self.snapshot: Snapshot = exposition.publish({})
        self.evidence: Mapping[str, FleetEvidence] = {}

    @property
    def health(self) -> list[SourceHealth]:
        """How the reading of each source goes."""
        return list(self._health.values())

    def start(self) -> None:
        """Start reading; every source at once, then each at its own interval from start to start."""
        self._started_at = self._clock()
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
        late = any(self._is_late(source, now) for source in self._sources)
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
                self._arrived.wait_for(lambda: self._inbox or self._stopping.is_set(), timeout=BEAT)
                inbox, self._inbox = self._inbox, []
            started = self._clock()
            isolated("publisher", partial(self._publish, inbox), self._clock)
            self._published_at = self._clock()
            self._stopping.wait(min(BEAT, DUTY * (self._published_at - started)))
        self._ledger.close()

    def _publish(self, inbox: Sequence[Arrival]) -> None:
        """Judge what arrived, and what is fresh no longer, and publish the slices that this touches."""
        now = self._clock()
        arrivals = [*inbox, *self._overdue(now)]
        for arrival in arrivals:
            self._receive(*arrival)
        wall = self._wall()
        touched = self._waiting | {source.fleet for source, _, _ in arrivals}
        touched |= {name for name, fleet in self._fleets.items() if fleet.expires < now}
        touched |= set(self._fleets) if self._ledger.went_back(wall) else set()
        self._waiting = {name for name in touched if not self._settled(name, now)}
        slices: dict[str, Tables | None] = {}
        left_out: dict[str, LeftOut] = {}
        for name in sorted(touched - self._waiting):
            kinds = self._kinds(name)
            if kinds:
                judge = partial(self._fleets[name].tables, now, kinds, wall)
                judged = isolated(f"fleet {name}", judge, self._clock)
                slices["fleet " + name], left_out["fleet " + name] = judged.value or (None, {})
                if judged.value is None:
                    self._spoil(name, arrivals)
                else:
                    self._misfit(name, arrivals)
        self._remember(slices, wall)
        if arrivals or slices:
            self._expose({"sources": self._source_tables(), "ledger": self._ledger.tables(), **slices}, left_out)
            self._testify(slices)

    def _settled(self, fleet: str, now: float) -> bool:
        """Tell whether every source of a fleet had a turn, or they had time enough."""
        if now - self._started_at > SETTLING:
            return True
        return all(health.attempted for health in self._health.values() if health.source.fleet == fleet)

    def _spoil(self, fleet: str, arrivals: Sequence[Arrival]) -> None:
        for source, attempted, _ in arrivals:
            if source.fleet == fleet and attempted.value is not None:
                self._health[id(source)].spoil()

    def _misfit(self, fleet: str, arrivals: Sequence[Arrival]) -> None:
        """Count as drift what an inventory says that fits no one node."""
        for source, attempted, _ in arrivals:
            if source.fleet == fleet and isinstance(attempted.value, InventoryReading):
                self._health[id(source)].add(unclear_in(attempted.value, self._fleets[fleet].wakes))

    def _remember(self, slices: dict[str, Tables | None], wall: float) -> None:
        """Tell the ledger what the judged fleets list, and add what it remembers of them."""
        listings = {name: fleet.listing for name, fleet in self._fleets.items() if slices.get("fleet " + name)}
        remembered = isolated("ledger", lambda: self._ledger.observe(listings, wall), self._clock)
        for name, tables in (remembered.value or {}).items():
            slices["fleet " + name] = {**(slices["fleet " + name] or {}), **tables}

    def _expose(self, slices: dict[str, Tables | None], left_out: dict[str, LeftOut]) -> None:
        """Publish slices together; where one cannot be rendered, the others without it."""
        together = isolated("exposition", lambda: self._exposition.publish(slices, left_out), self._clock)
        if together.value is not None:
            self.snapshot = together.value
            return
        for name in slices:
            self._exposition.forget(name)
        for name, tables in slices.items():
            alone = isolated(name, partial(self._exposition.publish, {name: tables}, left_out), self._clock)
            if alone.value is None:
                self._exposition.forget(name)
        self.snapshot = self._exposition.publish({})

    def _testify(self, slices: Mapping[str, Tables | None]) -> None:
        """Publish what explains the nodes and workers of the fleets whose slices were."""
        judged = {name: slices["fleet " + name] for name in self._fleets if "fleet " + name in slices}
        told: dict[str, FleetEvidence] = {}
        for name, tables in judged.items():
            if tables is not None:
                evidence = self._fleets[name].evidence
                remembered = tables.get(WorkerMemory, ())
                workers = evidence.workers._replace(remembered=remembered, history=self._ledger.history)
                told[name] = evidence._replace(remembered=tables.get(NodeMemory, ()), workers=workers)
        self.evidence = {**{name: each for name, each in self.evidence.items() if name not in judged}, **told}

    def _overdue(self, now: float) -> list[Arrival]:
        """Sources that were read with success and whose next read does not come back: they count as timed out."""
        late = [source for source in self._sources if self._is_late(source, now) and self._health[id(source)].up]
        message = "a read does not come back"
        return [(source, Attempted(None, "timeout", message, now - self._turned[id(source)]), now) for source in late]

    def _is_late(self, source: Source, now: float) -> bool:
        return now - self._turned[id(source)] > source.interval + source.timeout + GRACE

    def _receive(self, source: Source, attempted: Attempted[Reading], at: float) -> None:
        health = self._health[id(source)]
        known, was_up = health.attempted, health.up
        health.take(attempted, self._wall())
        if attempted.value is not None:
            self._fleets[source.fleet].receive(source.name, attempted.value, at + source.stale_after, at)
        said = {"fleet": source.fleet, "source": source.name, "result": health.result}
        if attempted.message:
            said["error"] = attempted.message
        if (known and health.up == was_up) or (source.optional and not health.answered):
            log.debug("read a source", extra={"said": said})
        elif health.up:
            log.info("a source is up", extra={"said": said})
        else:
            log.warning("a source is down", extra={"said": said})

    def _kinds(self, fleet: str) -> set[str]:
        """The kinds of source that a fleet has: of those that nobody configured only what has answered."""
        health = [health for health in self._health.values() if health.source.fleet == fleet]
        return {each.source.kind for each in health if each.answered or not each.source.optional}

    def _source_tables(self) -> Tables:
        records = [record for health in self._health.values() for record in health.records()]
        return {
            table: tuple(record for record in records if type(record) is table) for table in set(map(type, records))
        }
