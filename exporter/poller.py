"""Reads every source on its own interval, and owns the current snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from threading import Condition, Event, Thread
from typing import NamedTuple

from exporter.exposition import Exposition, Snapshot
from exporter.exposition.exposition import LeftOut
from exporter.health import SourceHealth
from exporter.isolate import Attempted, isolated
from exporter.plan import Plan
from exporter.records import NodeMemory, WorkerMemory
from exporter.records.reading import InventoryReading
from exporter.records.table import Tables
from exporter.slot import GRACE, Slot
from exporter.sources.source import Reading, Source
from exporter.state.evidence import FleetEvidence
from exporter.state.fleet import Fleet
from exporter.state.ledger import Ledger
from exporter.state.wakeable import unclear_in

Arrival = tuple[Slot, Attempted[Reading], float]
"""A source's slot, how reading it went, and when that was on the monotonic clock."""

SETTLING = 5.0
"""Seconds for which a fleet waits at the start, and when some of its sources are new, until each of them had a turn:
judged by those that were quicker, its nodes would seem to leave or change, and to come back a moment later."""

BEAT = 1.0
"""Seconds after which the publisher looks for what is fresh no longer, when nothing arrives."""

DUTY = 4.0
"""Seconds that publishing pauses for each second it took, so that many sources cannot keep a processor busy."""


class Asked(NamedTuple):
    """A plan to follow, and whom to tell whether that went well."""

    plan: Plan
    done: Future[bool]


class Poller:
    """One thread per source reads it, one thread judges and publishes; a source that hangs holds up only itself.

    Readings go to an inbox; the publisher empties it whenever there is something, so that what arrives meanwhile is
    judged together. What a fleet's judgement changes is in the `ledger` before it is published. `clock` is monotonic,
    `wall` gives Unix time. `snapshot`, `evidence` by fleet, and `shown`, the tables of the snapshot by slice, are
    immutable, and replaced by the publisher.
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
        self._fleets = fleets
        self._exposition = exposition
        self._clock = clock
        self._wall = wall
        self._slots = tuple(Slot(source, self._deliver, clock) for source in sources)
        self._inbox: list[Arrival] = []
        self._plans: list[Asked] = []
        self._arrived = Condition()
        self._stopping = Event()
        self._started_at = self._published_at = clock()
        self._ledger = ledger or Ledger()
        self._begun: dict[str, float] = {}
        self._tried = not self._slots
        self._waiting: set[str] = set()
        self.shown: Mapping[str, Tables] = {}
        self._left_out: dict[str, LeftOut] = {}
        self._publisher = Thread(target=self._publish_for_ever, name="publisher", daemon=True)
        self.snapshot: Snapshot = exposition.publish({})
        self.evidence: Mapping[str, FleetEvidence] = {}

    @property
    def health(self) -> list[SourceHealth]:
        """How the reading of each source goes."""
        return [slot.health for slot in self._slots]

    def start(self) -> None:
        """Start reading; every source at once, then each at its own interval from start to start."""
        self._started_at = self._clock()
        self._publisher.start()
        for slot in self._slots:
            slot.start()

    def stop(self, timeout: float) -> None:
        """Stop reading; waits at most `timeout` seconds for reads that are under way, and leaves the rest behind."""
        self._stopping.set()
        for slot in self._slots:
            slot.stop()
        with self._arrived:
            self._arrived.notify_all()
        until = time.monotonic() + timeout
        for thread in (self._publisher, *(slot.thread for slot in self._slots)):
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))

    def follow(self, plan: Plan) -> Future[bool]:
        """Go on with other sources and fleets, once started; true when what they are is published, false if it failed.

        A source that is there before and after, the same object, is read on as if nothing had happened. One of the same
        name goes on counting, and what the other one said stands until it has answered or is stale.
        """
        asked = Asked(plan, Future())
        with self._arrived:
            self._plans.append(asked)
            self._arrived.notify_all()
        return asked.done

    def turning(self) -> bool:
        """Tell whether the publisher and every source had their turn, and lately; false before the first."""
        now = self._clock()
        late = any(slot.is_late(now) for slot in self._slots)
        return self._tried and not late and now - self._published_at <= GRACE and not self._stopping.is_set()

    def _deliver(self, slot: Slot, attempted: Attempted[Reading], at: float) -> None:
        with self._arrived:
            self._inbox.append((slot, attempted, at))
            self._arrived.notify_all()

    def _publish_for_ever(self) -> None:
        while not self._stopping.is_set():
            with self._arrived:
                self._arrived.wait_for(lambda: self._inbox or self._plans or self._stopping.is_set(), timeout=BEAT)
            started = self._clock()
            self.turn()
            self._stopping.wait(min(BEAT, DUTY * (self._published_at - started)))
        self._ledger.close()

    def turn(self) -> None:
        """Judge and publish what has arrived, and what is fresh no longer; the publisher's alone once it is started."""
        with self._arrived:
            inbox, self._inbox = self._inbox, []
            plans, self._plans = self._plans, []
        went = isolated("publisher", partial(self._publish, inbox, [asked.plan for asked in plans]), self._clock)
        self._published_at = self._clock()
        self._tried = self._tried or all(slot.health.attempted for slot in self._slots)
        for asked in plans:
            asked.done.set_result(went.result == "ok")

    def _publish(self, inbox: Sequence[Arrival], plans: Sequence[Plan]) -> None:
        """Judge what arrived, and what is fresh no longer, and publish the slices that this touches."""
        now, wall = self._clock(), self._wall()
        before = self._fleets.keys()
        for plan in plans:
            self._turn_to(plan, now, wall)
        overdue = [(slot, slot.overdue(now), now) for slot in self._slots if slot.is_late(now) and slot.health.up]
        arrivals = [arrival for arrival in (*inbox, *overdue) if not arrival[0].over]
        for arrival in arrivals:
            self._receive(*arrival)
        touched = self._waiting | {slot.source.fleet for slot, _, _ in arrivals}
        touched |= {name for name, fleet in self._fleets.items() if fleet.expires < now}
        touched |= set(self._fleets) if plans or self._ledger.went_back(wall) else set()
        self._waiting = {name for name in touched if not self._settled(name, now)}
        judged, left_out = self._judge(touched - self._waiting, arrivals, now, wall)
        self._remember(judged, wall)
        gone = dict.fromkeys(before - self._fleets.keys())
        if arrivals or judged or plans:
            slices = {_slice(name): tables for name, tables in {**judged, **gone}.items()}
            self._expose({"sources": self._source_tables(), "ledger": self._ledger.tables(), **slices}, left_out)
            self._testify({**judged, **gone})

    def _turn_to(self, plan: Plan, now: float, wall: float) -> None:
        """Go on as a plan says; what is published and what is known of the sources that stay, stays."""
        self._ledger.rescope(plan.scopes, plan.retention, wall)
        if plan.exposition is not None:
            self._exposition = plan.exposition
            self._expose(self.shown, self._left_out)
        fleets: dict[str, Fleet] = {}
        for name, terms in plan.terms.items():
            fleets[name] = self._fleets.get(name) or Fleet.under(name, terms, self._ledger.recall(name))
            fleets[name].go_on(terms)
        self._fleets = fleets
        self._fill(plan.sources, now)

    def _fill(self, sources: Sequence[Source], now: float) -> None:
        """Read these sources, and no other."""
        there = {slot.source: slot for slot in self._slots}
        health = {_named(slot.source): slot.health for slot in self._slots}
        slots = [
            there.get(source) or Slot(source, self._deliver, self._clock, health.get(_named(source)))
            for source in sources
        ]
        before, self._slots = self._slots, tuple(slots)
        for slot in set(before).difference(slots):
            slot.stop()
        for slot in set(slots).difference(before):
            self._begun[slot.source.fleet] = now
            slot.start()

    def _judge(
        self, names: Collection[str], arrivals: Sequence[Arrival], now: float, wall: float
    ) -> tuple[dict[str, Tables | None], dict[str, LeftOut]]:
        """The tables of some fleets, None where one cannot be judged, and by slice what their limits leave out."""
        tables: dict[str, Tables | None] = {}
        left_out: dict[str, LeftOut] = {}
        for name in sorted(names):
            kinds = self._kinds(name)
            if kinds:
                judge = partial(self._fleets[name].tables, now, kinds, wall)
                judged = isolated(f"fleet {name}", judge, self._clock)
                tables[name], left_out[_slice(name)] = judged.value or (None, {})
                if judged.value is None:
                    self._spoil(name, arrivals)
                else:
                    self._misfit(name, arrivals)
        return tables, left_out

    def _settled(self, fleet: str, now: float) -> bool:
        """Tell whether every source of a fleet had a turn, or they had time enough."""
        late = now - self._begun.get(fleet, self._started_at) > SETTLING
        return late or all(slot.health.attempted for slot in self._slots if slot.source.fleet == fleet)

    def _spoil(self, fleet: str, arrivals: Sequence[Arrival]) -> None:
        for slot, attempted, _ in arrivals:
            if slot.source.fleet == fleet and attempted.value is not None:
                slot.health.spoil()

    def _misfit(self, fleet: str, arrivals: Sequence[Arrival]) -> None:
        """Count as drift what an inventory says that fits no one node."""
        for slot, attempted, _ in arrivals:
            if slot.source.fleet == fleet and isinstance(attempted.value, InventoryReading):
                slot.health.add(unclear_in(attempted.value, self._fleets[fleet].wakes))

    def _remember(self, judged: dict[str, Tables | None], wall: float) -> None:
        """Tell the ledger what the judged fleets list, and add what it remembers of them."""
        listings = {name: self._fleets[name].listing for name, tables in judged.items() if tables}
        remembered = isolated("ledger", lambda: self._ledger.observe(listings, wall), self._clock)
        for name, tables in (remembered.value or {}).items():
            judged[name] = {**(judged[name] or {}), **tables}

    def _expose(self, slices: Mapping[str, Tables | None], left_out: Mapping[str, LeftOut]) -> None:
        """Publish slices together; where one cannot be rendered, the others without it."""
        self.shown = {name: tables for name, tables in {**self.shown, **slices}.items() if tables is not None}
        self._left_out = {name: each for name, each in {**self._left_out, **left_out}.items() if name in self.shown}
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

    def _testify(self, judged: Mapping[str, Tables | None]) -> None:
        """Publish what explains the nodes and workers of the fleets that were judged, and of no others of them."""
        told: dict[str, FleetEvidence] = {}
        for name, tables in judged.items():
            if tables is not None:
                evidence = self._fleets[name].evidence
                remembered = tables.get(WorkerMemory, ())
                history, nodes = self._ledger.history, tables.get(NodeMemory, ())
                workers = evidence.workers._replace(remembered=remembered, history=history)
                told[name] = evidence._replace(remembered=nodes, workers=workers, history=history)
        self.evidence = {**{name: each for name, each in self.evidence.items() if name not in judged}, **told}

    def _receive(self, slot: Slot, attempted: Attempted[Reading], at: float) -> None:
        source = slot.source
        slot.take(attempted, self._wall())
        if attempted.value is not None:
            fresh_until = at + source.pace.stale_after
            self._fleets[source.fleet].receive(source.name, attempted.value, fresh_until, at)

    def _kinds(self, fleet: str) -> set[str]:
        """The kinds of source that a fleet has: of those that nobody configured only what has answered."""
        slots = [slot for slot in self._slots if slot.source.fleet == fleet]
        return {slot.source.kind for slot in slots if slot.health.answered or not slot.source.pace.optional}

    def _source_tables(self) -> Tables:
        records = [record for slot in self._slots for record in slot.health.records()]
        return {
            table: tuple(record for record in records if type(record) is table) for table in set(map(type, records))
        }


def _slice(fleet: str) -> str:
    """How the exposition calls what is shown of a fleet."""
    return f"fleet {fleet}"


def _named(source: Source) -> tuple[str, str, str]:
    return source.fleet, source.name, source.kind
