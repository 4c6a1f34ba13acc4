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
        self._before: dict[str, tuple[Sequence[Record], Roster]] = {}

    def of(self, kind: str, tables: Tables, shown: Tables) -> Roster:
        """List one kind, as `roster` does."""
        table = LISTED[kind][0]
        records, left = tables.get(table, ()), shown.get(table, ())
        records_before, before = self._before.get(kind, ((), None))
        if before is None or len(left) < len(records) or not _listed_alike(kind, records_before, records):
            before = roster(kind, tables, shown)
        self._before[kind] = (records, before)
        return before


def _listed_alike(kind: str, before: Sequence[Record], now: Sequence[Record]) -> bool:
    """Tell whether the same names are listed in the same order and states."""
    if len(before) != len(now):
        return False
    _, name, state = LISTED[kind]
    others = [(old, new) for old, new in zip(before, now, strict=True) if old is not new]
    return all(name(old) == name(new) and state(old) == state(new) for old, new in others)


def roster(kind: str, tables: Tables, shown: Tables, dropped: Collection[str] = ()) -> Roster:
    """List one kind: all of `tables`, of which `shown` has what a limit left; of two of a name the first stands."""
    table, name, state = LISTED[kind]
    records = tables.get(table, ())
    kept = shown.get(table, ())
    states = dict(zip(map(name, reversed(records)), map(state, reversed(records)), strict=True))
    return Roster(states, dropped, None if len(kept) == len(records) else set(map(name, kept)))
