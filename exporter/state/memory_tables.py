"""The tables of what is remembered of one fleet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, permutations, repeat

from exporter.records import (
    NODE_STATES,
    WORKER_STATUSES,
    NodeMemory,
    NodeTransitions,
    Record,
    WakeableMemory,
    WorkerMemory,
    WorkerTransitions,
)
from exporter.records.table import Tables
from exporter.state.listing import Listing
from exporter.state.memory import Held, Recollection, Roster

RECORDS: dict[str, type[Record]] = {"node": NodeMemory, "worker": WorkerMemory, "wakeable": WakeableMemory}


class MemoryTables:
    """The tables of one fleet; a table of which nothing changed is the same object as before."""

    def __init__(self, fleet: str) -> None:
        self._fleet = fleet
        self._before: dict[str, tuple[int, tuple[Record, ...]]] = {}

    def of(self, listing: Listing, parts: Mapping[str, Recollection]) -> Tables:
        """What to show: who is there of each kind with a fresh read and who left, and all transitions."""
        tables: Tables = {}
        for kind, roster in listing.rosters.items():
            news, records = self._before.get(kind, (-1, ()))
            if news != parts[kind].news or roster.shown is not None:
                records = tuple(self._records(kind, roster, parts[kind], records))
            self._before[kind] = (parts[kind].news if roster.shown is None else -1, records)
            tables[RECORDS[kind]] = records
        if "node" in listing.kinds:
            steps = parts["node"].steps
            tables[NodeTransitions] = tuple(
                NodeTransitions(self._fleet, *step, steps[step]) for step in permutations(NODE_STATES, 2)
            )
        if "worker" in listing.kinds:
            steps = parts["worker"].steps
            tables[WorkerTransitions] = tuple(
                WorkerTransitions(self._fleet, *step, steps[step]) for step in permutations(WORKER_STATUSES, 2)
            )
        return tables

    def _records(self, kind: str, roster: Roster, part: Recollection, before: Sequence[Record]) -> Iterable[Record]:
        shown = roster.states if roster.shown is None else roster.shown
        there = [(name, part.held[name]) for name in roster.states if name in shown]
        match kind:
            case "node":
                yield from (_node(self._fleet, name, held) for name, held in there)
                yield from (NodeMemory(self._fleet, name, 0) for name in part.tombstones())
            case "worker":
                yield from map(self._worker, there, chain(before, repeat(None)))
                yield from (WorkerMemory(self._fleet, name, 0) for name in part.tombstones())
            case _:
                for name, held in there:
                    yield WakeableMemory(self._fleet, name, None if held.state is None else held.since)

    def _worker(self, there: tuple[str, Held], before: Record | None) -> Record:
        """What is shown of a worker who is there: what was shown before in its place, where that is the same."""
        name, held = there
        if isinstance(before, WorkerMemory) and before.worker == name and before.since == held.since:
            return before
        return WorkerMemory(self._fleet, name, 1, held.since)


def _node(fleet: str, name: str, held: Held) -> NodeMemory:
    return NodeMemory(fleet, name, 1, held.since, held.ordinal)
