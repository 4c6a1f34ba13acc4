"""What the judgement of a fleet tells the ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from exporter.records import Node, Record, WakeableNode, Worker
from exporter.records.table import Tables
from exporter.state.memory import Roster

Field = Callable[[Any], Any]

LISTED: dict[str, tuple[type[Record], Field, Field]] = {
    "node": (Node, attrgetter("node"), attrgetter("state")),
    "worker": (Worker, attrgetter("worker"), attrgetter("status")),
    "wakeable": (WakeableNode, attrgetter("logical_id"), attrgetter("state")),
}
"""Table, and what gives name and state of its records, of each kind that is remembered."""

KINDS_OF = {
    "mesh-llm": ("node", "wakeable"),
    "inventory": ("wakeable",),
    "agent-lightning": ("worker",),
    "registry": ("worker",),
}
"""The kinds that each kind of source lists."""


class Listing(NamedTuple):
    """What a fleet lists now: the kinds it has, a roster of each that has a fresh read, and notes to keep."""

    kinds: Collection[str] = ()
    rosters: Mapping[str, Roster] = {}
    notes: Mapping[tuple[str, str], str] = {}


def kinds_of(sources: Collection[str]) -> frozenset[str]:
    """The kinds that sources of some kinds list."""
    return frozenset(kind for source in sources for kind in KINDS_OF[source])


class Rosters:
    """The rosters of one fleet; where the same is listed in the same states as before it is the same object."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[Sequence[Record], list[list[object]], Roster]] = {}

    def of(self, kind: str, tables: Tables, shown: Tables) -> Roster:
        """List one kind, as `roster` does."""
        table, name, state = LISTED[kind]
        records, left = tables.get(table, ()), shown.get(table, ())
        before = self._before.get(kind)
        if before is None or before[0] is not records or len(left) < len(records):
            said = [list(map(field, records)) for field in (name, state)]
            if before is None or before[1] != said or len(left) < len(records):
                before = (records, said, roster(kind, tables, shown))
            before = self._before[kind] = (records, said, before[2])
        return before[2]


def roster(kind: str, tables: Tables, shown: Tables, dropped: Collection[str] = ()) -> Roster:
    """List one kind: all of `tables`, of which `shown` has what a limit left; of two of a name the first stands."""
    table, name, state = LISTED[kind]
    records = tables.get(table, ())
    kept = shown.get(table, ())
    states = dict(zip(map(name, reversed(records)), map(state, reversed(records)), strict=True))
    return Roster(states, dropped, None if len(kept) == len(records) else set(map(name, kept)))
