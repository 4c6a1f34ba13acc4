"""One fleet: the last reading of each of its sources, which of them are fresh, and the tables that follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from exporter.records import (
    Assignment,
    Node,
    NodeGpu,
    NodeModel,
    PeerLink,
    Record,
    WakeableModel,
    WakeableNode,
    Worker,
    WorkerGpu,
)
from exporter.records.reading import MeshReading, StoreReading
from exporter.records.table import Tables, first
from exporter.state.mesh_tables import MeshMemory, count_mesh, mesh_tables
from exporter.state.worker_tables import count_workers, worker_tables

OBJECTS: tuple[type[Record], ...]
OBJECTS = (Node, NodeModel, NodeGpu, PeerLink, WakeableNode, WakeableModel, Worker, WorkerGpu)


INFINITY = float("inf")
KINDS = ("mesh-llm", "agent-lightning")


class WorkerRules(NamedTuple):
    """The limits of silence of a worker fleet, in seconds."""

    heartbeat_timeout: float = 45.0
    forget_after: float = 86400.0


class Limits(NamedTuple):
    """The most objects (nodes, workers, wakeable nodes) and the most assignments that a fleet shows."""

    objects: int = 200_000
    assignments: int = 1000


class Fleet:
    """What is known of one fleet. Not safe for threads: only the publisher's uses it."""

    def __init__(self, name: str, rules: WorkerRules, limits: Limits) -> None:
        self.name = name
        self._rules = rules
        self._limits = limits
        self._meshes: dict[str, tuple[MeshReading, float]] = {}
        self._store: tuple[StoreReading, float] | None = None
        self._memory = MeshMemory()
        self._judged: tuple[StoreReading, Tables] | None = None
        self.expires = INFINITY

    def receive(self, source: str, reading: MeshReading | StoreReading, fresh_until: float) -> None:
        """Take a source's newest reading; `fresh_until` is on the monotonic clock of `tables`."""
        if isinstance(reading, MeshReading):
            self._meshes[source] = (reading, fresh_until)
        else:
            self._store = (reading, fresh_until)

    def tables(self, now: float, kinds: Collection[str] = KINDS) -> tuple[Tables, Counter[type[Record]]]:
        """Judge what is fresh at `now` (monotonic, in seconds): the fleet's tables, and the records that limits cut.

        Counts are of everything, before any limit, and there for the `kinds` of source that the fleet has. When the
        first of what is fresh is so no longer, is in `expires` afterwards.
        """
        until = [until for _, until in self._meshes.values()] + ([self._store[1]] if self._store else [])
        self.expires = min((instant for instant in until if instant >= now), default=INFINITY)
        fresh = {source: reading for source, (reading, until) in self._meshes.items() if now <= until}
        nodes, self._memory = mesh_tables(fresh, self._memory, now)
        workers: Tables = {}
        if self._store is not None and now <= self._store[1]:
            workers = self._workers(self._store[0])
        counts: Tables = {}
        if "mesh-llm" in kinds:
            counts |= count_mesh(self.name, nodes)
        if "agent-lightning" in kinds:
            counts |= count_workers(self.name, workers)
        return self._cut({**nodes, **workers, **counts})

    def _workers(self, reading: StoreReading) -> Tables:
        """Ages are judged at the instant of the read, so the same reading always gives the same tables."""
        if self._judged is None or self._judged[0] is not reading:
            self._judged = (reading, worker_tables(reading, *self._rules))
        return self._judged[1]

    def _cut(self, tables: Tables) -> tuple[Tables, Counter[type[Record]]]:
        """Keep as many objects as the limits allow, the first of each table: the unhealthy come first."""
        left_out: Counter[type[Record]] = Counter()
        most: dict[type[Record], int] = dict.fromkeys(OBJECTS, self._limits.objects)
        most[Assignment] = self._limits.assignments
        for record, limit in most.items():
            records = tables.get(record, ())
            if len(records) > limit:
                left_out[record] = len(records) - limit
                tables[record] = first(records, limit)
        return tables, left_out
