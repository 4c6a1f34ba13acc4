"""Finds the node that somebody means, and answers as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from exporter.explain.near import LONGEST, alike
from exporter.exposition.labels import guard
from exporter.records.evidence import NodeName, Unexplained
from exporter.state.evidence import FleetEvidence


class Answer(NamedTuple):
    """An HTTP status and a JSON body of ASCII alone, as the text of upstreams may steer a terminal."""

    status: int
    body: bytes


class Lookup:
    """Explains nodes from the evidence of all fleets; safe for threads. `clock` is monotonic, `wall` Unix time."""

    def __init__(
        self,
        evidence: Callable[[], Mapping[str, FleetEvidence]],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._evidence = evidence
        self._clock = clock
        self._wall = wall

    def __call__(self, name: str, fleet: str | None) -> Answer:
        """Explain the node with an id or host name, in one fleet or in all.

        200: a `NodeEvidence`; 404: nobody has the name; 409: several have it. The latter two are an `Unexplained`.
        """
        everywhere = self._evidence()
        if (wrong := wrong_fleet(everywhere, fleet)) is not None:
            return answered(404, Unexplained(error=wrong))
        evidence = {each: everywhere[each] for each in everywhere if fleet in (None, each)}
        expected = f"expected the id or host name of a node{of_fleet(fleet)}, got {name[:LONGEST]!r}"
        named = {called: fresh for each in evidence.values() for called, fresh in each.names().items()}
        found = meant(name, named)
        if len(found) > 1:
            return answered(409, Unexplained(error=f"{expected}, which {len(found)} nodes have", candidates=found))
        if found:
            explained = evidence[found[0].fleet].of(found[0].node, self._clock(), self._wall())
            if explained is not None:
                return answered(200, explained)
        return answered(404, Unexplained(error=f"{expected}, which none has", near=near(name, named)))


def meant(name: str, named: Mapping[NodeName, bool]) -> tuple[NodeName, ...]:
    """The nodes with a name: an id before a host name, a host name in a fresh view (True) before one in a stale view.

    Each node is there once. A name may be that of a label, in which an id has been made printable and short.
    """
    ids: dict[tuple[str, str], NodeName] = {}
    hosts: dict[bool, dict[tuple[str, str], NodeName]] = {True: {}, False: {}}
    for each, fresh in named.items():
        if name in (each.node, guard(each.node)):
            ids.setdefault((each.fleet, each.node), each)
        elif each.hostname is not None and name in (each.hostname, guard(each.hostname)):
            hosts[fresh].setdefault((each.fleet, each.node), each)
    return tuple(sorted((ids or hosts[True] or hosts[False]).values(), key=_order))


def near(name: str, named: Iterable[NodeName]) -> tuple[NodeName, ...]:
    """A few nodes whose id or host name holds this text, or is much like it."""
    return alike(name, ((called, each) for each in named for called in (each.node, each.hostname)))


def _order(name: NodeName) -> tuple[str, str]:
    return name.fleet, name.node


def wrong_fleet(everywhere: Collection[str], fleet: str | None) -> str | None:
    """Why nothing can be looked for in a fleet, where `everywhere` are those that are read; None where it can."""
    if fleet is None or fleet in everywhere:
        return None
    fleets = ", ".join(map(guard, sorted(everywhere))) or "none yet"
    return f"expected a fleet that is read ({fleets}), got {guard(fleet)!r}"


def of_fleet(fleet: str | None) -> str:
    """Where something is looked for, as an error says it."""
    return "" if fleet is None else f" of fleet {guard(fleet)!r}"


def answered(status: int, said: msgspec.Struct) -> Answer:
    """What an explanation, or why there is none, is as JSON."""
    return Answer(status, json.dumps(msgspec.to_builtins(said), indent=2, allow_nan=False).encode("ascii") + b"\n")
