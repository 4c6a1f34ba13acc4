"""One fleet: the last reading of each of its sources, which of them are fresh, and the tables that follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sized
from typing import NamedTuple

from exporter.records import (
    Assignment,
    Inconsistency,
    ModelLoad,
    ModelTarget,
    Node,
    NodeGpu,
    NodeModel,
    NodeSlots,
    NodeStage,
    NodeViews,
    PeerLink,
    Record,
    WakeableBecomes,
    WakeableModel,
    WakeableNode,
    WakeCount,
    Worker,
    WorkerGpu,
)
from exporter.records.reading import ConsolesReading, InventoryReading, MeshReading, StoreReading
from exporter.records.table import Tables, first
from exporter.state.consistency import Recent
from exporter.state.consoles import Consoles, Heard, url_of
from exporter.state.evidence import FleetEvidence
from exporter.state.judged import Standing
from exporter.state.listing import Listing, Rosters, kinds_of
from exporter.state.loads import Loads
from exporter.state.memory import Roster
from exporter.state.mesh_tables import Ground, MeshMemory, count_mesh, mesh_tables
from exporter.state.notes import Notes, Recalled, to_notes
from exporter.state.wakeable import Inventories, count_wakeables, wakeable_tables
from exporter.state.wakes import wake_counts
from exporter.state.worker_evidence import StoreTold, WorkersEvidence
from exporter.state.worker_tables import count_workers, judge_workers

OBJECTS: tuple[type[Record], ...]
OBJECTS = (
    Node,
    NodeViews,
    NodeModel,
    NodeGpu,
    NodeSlots,
    NodeStage,
    ModelLoad,
    PeerLink,
    WakeableNode,
    WakeableModel,
    WakeableBecomes,
    Worker,
    WorkerGpu,
    Inconsistency,
)


INFINITY = float("inf")
MODEL_TARGETS = 100
"""The most models that a fleet shows as wanted: their names may come from clients' requests."""

KINDS = ("mesh-llm", "agent-lightning", "inventory", "registry")


Answer = MeshReading | ConsolesReading | StoreReading | InventoryReading


class WorkerRules(NamedTuple):
    """The limits of silence of a worker fleet, in seconds."""

    heartbeat_timeout: float = 45.0
    forget_after: float = 86400.0


class Limits(NamedTuple):
    """The most objects (nodes, workers, wakeable nodes) and the most assignments that a fleet shows."""

    objects: int = 200_000
    assignments: int = 1000


class Terms(NamedTuple):
    """What a configuration says of a fleet: its limits, and the names of its sources.

    `listing` are the sources that are configured and list nodes or wakeable capacity.
    """

    rules: WorkerRules = WorkerRules()
    limits: Limits = Limits()
    polled: frozenset[str] = frozenset()
    listing: frozenset[str] = frozenset()


class Fleet:
    """What is known of one fleet. Not safe for threads: only the publisher's uses it.

    `sources` are the names of those that are configured and list nodes or wakeable capacity.
    """

    def __init__(
        self,
        name: str,
        rules: WorkerRules,
        limits: Limits,
        recalled: Recalled | None = None,
        sources: Collection[str] = (),
    ) -> None:
        self.name = name
        self._sources = frozenset(sources)
        self._rules = rules
        self._limits = limits
        self._consoles = Consoles()
        self._store: StoreTold | None = None
        recalled = recalled or Recalled()
        self._memory = MeshMemory(recalled.states, recalled.consoles, loads=Loads(seconds=recalled.loads))
        self._unmeasured = recalled.unmeasured
        self._inventories: dict[str, tuple[InventoryReading, float]] = {}
        self.wakes = recalled.wakes
        self.listing = Listing()
        self._judged: tuple[StoreReading, Tables] | None = None
        self._rosters = Rosters()
        self._limited: dict[type[Record], tuple[tuple[Record, ...], tuple[Record, ...]]] = {}
        self._before = self._recent = Recent()
        self.expires = INFINITY
        self.evidence = FleetEvidence(name)

    @classmethod
    def under(cls, name: str, terms: Terms, recalled: Recalled) -> Fleet:
        """A fleet under some terms, of which so much is recalled."""
        return cls(name, terms.rules, terms.limits, recalled, terms.listing)

    def receive(self, source: str, reading: Answer, fresh_until: float, at: float | None = None) -> None:
        """Take a source's newest reading, that came `at`; both times are on the monotonic clock of `tables`."""
        if isinstance(reading, MeshReading | ConsolesReading):
            self._consoles.hear(source, reading, fresh_until, at)
        elif isinstance(reading, InventoryReading):
            self._inventories[source] = (reading, fresh_until)
        else:
            self._store = StoreTold(source, reading, fresh_until, at)

    def go_on(self, terms: Terms) -> None:
        """Go on under other terms: what is known from sources that are not polled any more is forgotten."""
        if terms.rules != self._rules:
            self._judged, self._recent = None, self._before
        self._rules, self._limits, self._sources = terms.rules, terms.limits, terms.listing
        self._consoles.keep(terms.polled)
        consoles = {node: name for node, name in self._memory.consoles.items() if url_of(name) in terms.polled}
        self._memory = self._memory._replace(consoles=consoles)
        self._inventories = {name: each for name, each in self._inventories.items() if name in terms.polled}
        if self._store is not None and self._store.source not in terms.polled:
            self._store, self._judged, self._recent = None, None, Recent()

    def tables(
        self, now: float, kinds: Collection[str] = KINDS, wall: float = 0.0
    ) -> tuple[Tables, Counter[type[Record]]]:
        """Judge what is fresh at `now` (monotonic, in seconds): the fleet's tables, and the records that limits cut.

        Counts are of everything, before any limit, and there for the `kinds` of source that the fleet has. When the
        first of what is fresh is so no longer, is in `expires` afterwards, what to tell the ledger in `listing`, and
        what explains nodes and workers in `evidence`. `wall` is Unix time, for the wake ledger.
        """
        if self._unmeasured and self._consoles.told:
            since = {node: now - seconds for node, seconds in self._unmeasured.items()}
            self._memory, self._unmeasured = self._memory._replace(unmeasured_since=since), {}
        heard = self._consoles.heard(now)
        until = [told.fresh_until for told in self._consoles.told.values()]
        until += [until for _, until in self._inventories.values()]
        until += [self._store.fresh_until] if self._store else []
        self.expires = min((instant for instant in until if instant >= now), default=INFINITY)
        self.evidence = self._evidence(heard, now)
        nodes, self._memory = mesh_tables(heard, self._memory, now)
        files = {source: reading for source, (reading, until) in self._inventories.items() if now <= until}
        lists = Inventories(heard.fresh, files, heard.unsure, "mesh-llm" in kinds)
        asleep, self.wakes = wakeable_tables(lists, nodes, self.wakes, wall)
        workers: Tables = {}
        if self._store is not None and now <= self._store.fresh_until:
            workers = self._workers(self._store.reading)
        self.evidence = self.evidence._replace(workers=self._workers_evidence(workers))
        counts = self._counts(kinds, nodes, asleep, workers)
        tables = {**nodes, **asleep, **workers, **counts}
        cut, left_out = self._cut(dict(tables))
        listed = workers if self._lists_workers else {}
        answered: dict[str, Sized] = {"mesh-llm": heard.fresh, "inventory": files, "agent-lightning": listed}
        rosters = {
            kind: self._rosters.of(kind, tables, cut)
            for kind in kinds_of([kind for kind in answered if answered[kind]])
        }
        self._doubt(rosters, heard, files)
        self.listing = Listing(kinds_of(kinds), rosters, self._notes(now))
        return cut, left_out

    def _counts(self, kinds: Collection[str], nodes: Tables, asleep: Tables, workers: Tables) -> Tables:
        counts: Tables = {}
        if "mesh-llm" in kinds:
            counts |= count_mesh(self.name, nodes)
        if "mesh-llm" in kinds or "inventory" in kinds:
            counts |= count_wakeables(self.name, asleep)
            counts[WakeCount] = wake_counts(self.name, self.wakes)
        if "agent-lightning" in kinds or "registry" in kinds:
            rollouts = "agent-lightning" in kinds
            counts |= count_workers(self.name, workers, lists_workers=self._lists_workers, lists_rollouts=rollouts)
        return counts

    @property
    def _lists_workers(self) -> bool:
        """Whether the fleet's store has workers, as far as it ever said."""
        return self._store is None or self._store.reading.lists_workers

    def _evidence(self, heard: Heard, now: float) -> FleetEvidence:
        """What explains the nodes as they are judged at `now`; older readings are not kept for it."""
        ground = Ground.of(heard, self._memory, now)
        ground = ground._replace(memory=self._memory._replace(readings={}))
        return FleetEvidence(self.name, dict(self._consoles.told), heard.fresh, ground)

    def _notes(self, now: float) -> Notes:
        """What must outlive a restart."""
        since = self._memory.unmeasured_since
        unmeasured = {**self._unmeasured, **{node: now - instant for node, instant in since.items()}}
        kept = Recalled(self._memory.consoles, self.wakes, {}, unmeasured, self._memory.loads.seconds)
        return to_notes(kept, self._sources)

    def _doubt(self, rosters: dict[str, Roster], heard: Heard, files: Mapping[str, InventoryReading]) -> None:
        """Note in what is listed, before any limit, what does not follow from who is not.

        A worker that is forgotten or departed leaves no trace. A node whom none but silent consoles listed may be
        there, and so may a wakeable node while anybody is silent who may list it.
        """
        if "worker" in rosters and self._store is not None:
            reading, dropped = self._store.reading, set(self._store.reading.departed)
            if len(reading.workers) > len(rosters["worker"].states):
                dropped |= {report.worker for report in reading.workers} - rosters["worker"].states.keys()
            rosters["worker"] = rosters["worker"]._replace(dropped=dropped)
        if "node" in rosters:
            rosters["node"] = rosters["node"]._replace(unsure=heard.unsure)
        if "wakeable" in rosters:
            answering = {*map(url_of, heard.answering.values()), *files}
            silent = heard.silent or (self._sources or self._inventories.keys()) - answering
            rosters["wakeable"] = rosters["wakeable"]._replace(whole=not silent)

    def _workers(self, reading: StoreReading) -> Tables:
        """Ages are judged at the instant of the read, so the same reading always gives the same tables."""
        if self._judged is None or self._judged[0] is not reading:
            # Judgements are of the rules they were made by, and as large as the fleet.
            self._before = self._recent._replace(standing=Standing(), tables={})
            tables, self._recent = judge_workers(reading, *self._rules, self._recent)
            self._judged = (reading, tables)
        return self._judged[1]

    def _workers_evidence(self, tables: Tables) -> WorkersEvidence:
        """What explains the workers as they are judged; `tables` are empty where nothing of them is fresh."""
        found = tuple(each for each in tables.get(Inconsistency, ()) if isinstance(each, Inconsistency))
        bare = self._recent.senders.bare
        return WorkersEvidence(self.name, *self._rules, self._store, bool(tables), found, bare)

    def _cut(self, tables: Tables) -> tuple[Tables, Counter[type[Record]]]:
        """Keep as many objects as the limits allow, the first of each table: the unhealthy come first."""
        left_out: Counter[type[Record]] = Counter()
        most: dict[type[Record], int] = dict.fromkeys(OBJECTS, self._limits.objects)
        most[Assignment] = self._limits.assignments
        most[ModelTarget] = MODEL_TARGETS
        for record, limit in most.items():
            records = tables.get(record, ())
            if len(records) > limit:
                left_out[record] = len(records) - limit
                tables[record] = self._first(record, records, limit)
        return tables, left_out

    def _first(self, record: type[Record], records: tuple[Record, ...], limit: int) -> tuple[Record, ...]:
        """The first of a table; that of before where the table is."""
        before = self._limited.get(record)
        if before is None or before[0] is not records:
            before = self._limited[record] = (records, first(records, limit))
        return before[1]
