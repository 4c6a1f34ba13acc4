"""A registry from its file to the ledger, read when a test says so, on clocks that go when it says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from exporter.records import Worker, WorkerMemory
from exporter.records.table import Tables
from exporter.registry.store import Outcome, Request
from exporter.sources.registry import PACE, RegistrySource
from exporter.sources.source import Deadline
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.unit import ledgers
from tests.unit.registry_files import NOW, opened

INTERVAL = 2.0
TIMEOUT = 45.0


class Clock:
    """Unix time, and seconds on a monotonic clock: they differ by what it jumped."""

    def __init__(self) -> None:
        self.now = NOW
        self.jumped = 0.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - self.jumped


class Life:
    """One life of the process that has the registry of a folder: until `die`."""

    def __init__(self, folder: Path, clock: Clock, trouble: Callable[[], str | None] = lambda: None) -> None:
        self.clock = clock
        self.store = opened(folder, most=5000, per_client=5000)
        self.ledger = ledgers.opened(folder)
        self.source = RegistrySource(
            "local",
            self.store.reader(),
            self.store.heard,
            trouble,
            pace=PACE._replace(interval=INTERVAL),
            clock=clock.wall,
            monotonic=clock.monotonic,
        )
        rules = WorkerRules(TIMEOUT, float("inf"))
        self.fleet = Fleet("local", rules, Limits(), self.ledger.recall("local"))

    def take(self, *requests: Request) -> list[Outcome]:
        """Have requests written now."""
        return self.store.apply(requests, self.clock.now)

    def read(self, after: float = 0.0) -> Tables:
        """Read after so many seconds; everything that would be shown."""
        self.clock.now += after
        now, steady = self.clock.wall(), self.clock.monotonic()
        self.fleet.receive("registry", self.source.read(Deadline(10)), steady + 10, steady)
        tables, _ = self.fleet.tables(steady, {"registry"}, now)
        return {**tables, **self.ledger.observe({"local": self.fleet.listing}, now)["local"]}

    def run(self, seconds: float, *beating: Request) -> Tables:
        """Let time pass, with a read every two seconds, and something written before each."""
        tables = self.read()
        for _ in range(int(seconds / INTERVAL)):
            self.clock.now += INTERVAL
            self.take(*beating) if beating else self.store.listen(self.clock.now)
            tables = self.read()
        return tables

    def die(self) -> None:
        """End; what is on disk stays."""
        self.store.close()
        self.ledger.close()


def statuses(tables: Tables) -> dict[str, str]:
    """The status of each worker, with the reason of one that is unknown."""
    found = {}
    for row in tables[Worker]:
        assert isinstance(row, Worker)
        found[row.worker] = row.status if row.reason is None else f"{row.status} {row.reason}"
    return found


def since(tables: Tables) -> dict[str, float | None]:
    """Since when each worker is as it is, in seconds from NOW."""
    rows = [row for row in tables[WorkerMemory] if isinstance(row, WorkerMemory)]
    return {row.worker: None if row.since is None else round(row.since - NOW, 3) for row in rows}
