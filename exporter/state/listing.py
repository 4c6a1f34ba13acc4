"""What the judgement of a fleet tells the ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from exporter.records import Node, Record, WakeableNode, Worker
from exporter.records.table import Tables
from exporter.state.memory import Roster

Named = Callable[[Any], tuple[str, str | None]]

LISTED: dict[str, tuple[type[Record], Named]] = {
    "node": (Node, attrgetter("node", "state")),
    "worker": (Worker, attrgetter("worker", "status")),
    "wakeable": (WakeableNode, attrgetter("logical_id", "state")),
}
"""Table, and name and state of its records, of each kind that is remembered."""

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


def roster(kind: str, tables: Tables, shown: Tables, dropped: Collection[str] = ()) -> Roster:
    """List one kind: all of `tables`, of which `shown` has what a limit left; of two of a name the first stands."""
    table, named = LISTED[kind]
    records = tables.get(table, ())
    kept = shown.get(table, ())
    states = dict(map(named, reversed(records)))
    return Roster(states, dropped, None if len(kept) == len(records) else {named(record)[0] for record in kept})
