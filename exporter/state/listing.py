"""What the judgement of a fleet tells the ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from exporter.records import Node, Record, WakeableNode, Worker
from exporter.records.table import SPARSE, Tables, others
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


class _Listed(NamedTuple):
    """What was listed of a kind: its table, names and states of the records in it, and the roster of that."""

    records: Sequence[Record]
    said: list[list[object]]
    roster: Roster


class Rosters:
    """The rosters of one fleet; where the same is listed in the same states as before it is the same object."""

    def __init__(self) -> None:
        self._before: dict[str, _Listed] = {}

    def of(self, kind: str, tables: Tables, shown: Tables) -> Roster:
        """List one kind, as `roster` does."""
        table, *fields = LISTED[kind]
        records = tables.get(table, ())
        before = self._before.pop(kind, None)
        if len(shown.get(table, ())) < len(records):
            return roster(kind, tables, shown)
        if before is not None and _alike(before.records, records, fields):
            listed = before._replace(records=records)
        else:
            said = [list(map(field, records)) for field in fields]
            same = before is not None and before.said == said
            listed = _Listed(records, said, before.roster if before and same else roster(kind, tables, shown))
        self._before[kind] = listed
        return listed.roster


def _alike(before: Sequence[Record], now: Sequence[Record], fields: Sequence[Field]) -> bool:
    """Tell whether a table says the same in some fields as before, if few of its records are others; else not."""
    if before is now:
        return True
    places = others(before, now)
    few = len(before) == len(now) >= SPARSE * len(places)
    return few and all(field(before[at]) == field(now[at]) for at in places for field in fields)


def roster(kind: str, tables: Tables, shown: Tables, dropped: Collection[str] = ()) -> Roster:
    """List one kind: all of `tables`, of which `shown` has what a limit left; of two of a name the first stands."""
    table, name, state = LISTED[kind]
    records = tables.get(table, ())
    kept = shown.get(table, ())
    states = dict(zip(map(name, reversed(records)), map(state, reversed(records)), strict=True))
    return Roster(states, dropped, None if len(kept) == len(records) else set(map(name, kept)))
