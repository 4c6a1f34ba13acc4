"""The part of everything that one of several exporters shows: tables in, tables out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from itertools import compress
from operator import attrgetter, is_

import msgspec

from exporter.config import Shard
from exporter.exposition import Exposition, Snapshot
from exporter.exposition.exposition import LeftOut
from exporter.families import Family
from exporter.records import NodeMemory, Record, WorkerCount, WorkerTransitions
from exporter.records.table import Tables

BITS = (1 << 64) - 1
SPARE = 4096
"""Keys whose shard is remembered beside those that are there, before all are forgotten."""

OF_WORKERS = (WorkerCount, WorkerTransitions)
"""Tables about a fleet's workers as a whole."""


def shard_of(fleet: str, name: str, count: int) -> int:
    """The shard, from 0, of an object of a fleet; with an empty name that of the fleet's totals.

    From n shards to n + 1 one of n + 1 keys moves, to the new shard. John Lamping, Eric Veach: A Fast, Minimal Memory,
    Consistent Hash Algorithm, 2014, with division of integers, of the first 64 bits of BLAKE2b.
    """
    digest = blake2b(f"{fleet}\0{name}".encode(errors="surrogatepass"), digest_size=8).digest()
    state, shard, jump = int.from_bytes(digest, "big"), 0, 0
    while jump < count:
        shard = jump
        state = state * 2862933555777941757 + 1 & BITS
        jump = (shard + 1 << 31) // ((state >> 33) + 1)
    return shard


class _Mine(dict[str, bool]):
    """Whether a shard has the objects of a fleet, by name; found once."""

    def __init__(self, shard: Shard, fleet: str) -> None:
        super().__init__()
        self._shard = shard
        self._fleet = fleet

    def __missing__(self, name: str) -> bool:
        found = self[name] = shard_of(self._fleet, name, self._shard.count) == self._shard.index
        return found


class Part:
    """What one shard shows of one slice: each sample is on one shard, but those of the process itself on all.

    An object is on one shard with all that has its name in its key, a fleet's totals are together on one. What a source
    says of its reading, and what has no fleet, is each process' own. Of fleets that only this process reads, `whole`,
    all workers are here. A table of which this leaves the same rows is the same object as before.
    """

    def __init__(self, shard: Shard, whole: Collection[str] = ()) -> None:
        self._shard = shard
        self._whole = frozenset(whole)
        self._mine: dict[str, _Mine] = {}
        self._taken: dict[type[Record], tuple[Sequence[Record], tuple[Record, ...]]] = {}
        self._memory: dict[Record, Record | None] = {}

    def of(self, tables: Tables) -> Tables:
        """The part of a slice's tables."""
        shown = {record: self._table(record, records) for record, records in tables.items()}
        self._taken = {record: each for record, each in self._taken.items() if record in tables}
        there = sum(len(records) for record, records in tables.items() if len(record.KEY) == 2)
        for fleet, mine in self._mine.items():
            if len(mine) > there + SPARE:
                self._mine[fleet] = _Mine(self._shard, fleet)
        return shown

    def left_out(self, tables: Tables, left_out: LeftOut) -> LeftOut:
        """What a limit left out of these tables before: counted on the shard of the fleet's totals."""
        fleet = next((records[0] for records in tables.values() if records), None)
        return {
            record: count
            for record, count in left_out.items()
            if fleet is None or self._has_totals(record, getattr(fleet, "fleet", ""))
        }

    def _table(self, record: type[Record], records: tuple[Record, ...]) -> tuple[Record, ...]:
        before = self._taken.get(record)
        if before is not None and before[0] is records:
            return before[1]
        shown = self._split(record, records) if records else records
        if before is not None and len(before[1]) == len(shown) and all(map(is_, before[1], shown)):
            shown = before[1]
        self._taken[record] = (records, shown)
        return shown

    def _split(self, record: type[Record], records: tuple[Record, ...]) -> tuple[Record, ...]:
        if record.KEY[:1] != ("fleet",) or "source" in record.KEY:
            return records
        fleet: str = getattr(records[0], "fleet", "")
        match record.KEY:
            case ("fleet", "worker", *_) if fleet in self._whole:
                return records
            case _ if record is NodeMemory:
                return self._memories(fleet, records)
            case ("fleet", ("node" | "worker" | "logical_id" | "model") as name, *_):
                here = map(self._of(fleet).__getitem__, map(attrgetter(name), records))
                return tuple(compress(records, here))
            case _:
                return records if self._has_totals(record, fleet) else ()

    def _memories(self, fleet: str, records: Sequence[Record]) -> tuple[Record, ...]:
        """What is remembered of nodes: a node's on its shard, but its place in drawings where the totals are.

        Each shard has a ledger, and two ledgers may give one place to two nodes.
        """
        before, mine, totals = self._memory, self._of(fleet), self._has_totals(NodeMemory, fleet)
        self._memory = {
            each: before[each] if each in before else _remembered(each, mine[each.node], totals)
            for each in records
            if isinstance(each, NodeMemory)
        }
        return tuple(each for each in self._memory.values() if each is not None)

    def _has_totals(self, record: type[Record], fleet: str) -> bool:
        if fleet in self._whole and (record in OF_WORKERS or "worker" in record.KEY):
            return True
        return self._of(fleet)[""]

    def _of(self, fleet: str) -> _Mine:
        return self._mine.setdefault(fleet, _Mine(self._shard, fleet))


def _remembered(node: NodeMemory, mine: bool, totals: bool) -> NodeMemory | None:
    if mine:
        return node if totals or node.ordinal is None else msgspec.structs.replace(node, ordinal=None)
    placed = totals and node.ordinal is not None
    return msgspec.structs.replace(node, present=None, since=None) if placed else None


class ShardExposition(Exposition):
    """The text of one shard's part of all tables; `whole` are the fleets whose workers only this process reads.

    `limit` bounds the series of the part.
    """

    def __init__(self, families: Sequence[Family], limit: int, shard: Shard, whole: Collection[str] = ()) -> None:
        super().__init__(families, limit)
        self._shard = shard
        self._whole = whole
        self._parts: dict[str, Part] = {}

    def publish(self, slices: Mapping[str, Tables | None], left_out: Mapping[str, LeftOut] | None = None) -> Snapshot:
        """Take the new tables of some slices, whole ones, and give the snapshot of the part that follows."""
        shown: dict[str, Tables | None] = {}
        less: dict[str, LeftOut] = {}
        for name, tables in slices.items():
            if tables is None:
                self._parts.pop(name, None)
                shown[name] = None
                continue
            part = self._parts.setdefault(name, Part(self._shard, self._whole))
            shown[name] = part.of(tables)
            less[name] = part.left_out(tables, (left_out or {}).get(name, {}))
        return super().publish(shown, less)
