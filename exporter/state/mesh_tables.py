"""The tables of a mesh: one node per id from all fresh readings of its consoles, and what could be woken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from exporter.records import (
    NODE_STATES,
    STANDINGS,
    WAKEABLE_STATES,
    Node,
    NodeCount,
    NodeGpu,
    NodeModel,
    PeerLink,
    WakeableCount,
    WakeableModel,
    WakeableNode,
)
from exporter.records.reading import MeshReading, Sighting
from exporter.records.table import Tables
from exporter.state.mesh import NodeVerdict, node_state, wakeable_state
from exporter.state.reconcile import choose, standing, unmeasured


class MeshMemory(NamedTuple):
    """What the next judgement needs of the last: states held, whose console is whose, since when nobody measured whom.

    `consoles` maps a node to the source where it answered last; `unmeasured_since` is on a monotonic clock in seconds.
    """

    states: Mapping[str, str] = {}
    consoles: Mapping[str, str] = {}
    unmeasured_since: Mapping[str, float] = {}


class _Seen(NamedTuple):
    sighting: Sighting
    verdict: NodeVerdict


def mesh_tables(fresh: Mapping[str, MeshReading], memory: MeshMemory, now: float) -> tuple[Tables, MeshMemory]:
    """Reconcile the fresh readings of a fleet's consoles, by source; gives its tables and what to remember.

    `now` is on the clock of `memory.unmeasured_since`.
    """
    readings = [fresh[source] for source in sorted(fresh)]
    answering = {reading.observer: source for source, reading in fresh.items()}
    seen: dict[str, list[_Seen]] = {}
    for reading in readings:
        for sighting in reading.sightings:
            seen.setdefault(sighting.view.node, []).append(_Seen(sighting, node_state(sighting.view)))
    since = {
        node: memory.unmeasured_since.get(node, now)
        for node, views in seen.items()
        if unmeasured([view.sighting.view for view in views])
    }
    nodes: list[Node] = []
    models: list[NodeModel] = []
    gpus: list[NodeGpu] = []
    for node, views in seen.items():
        held = memory.states.get(node)
        silent_for = now - since.get(node, now)
        own_silent = node in memory.consoles and node not in answering
        record, chosen = _node(views, held, own_silent, silent_for)
        nodes.append(record)
        models += chosen.models
        gpus += chosen.gpus
    tables: Tables = {
        Node: tuple(nodes),
        NodeModel: tuple(models),
        NodeGpu: tuple(gpus),
        PeerLink: _links(readings),
        **_wakeables(readings),
    }
    if not readings:
        return tables, memory
    consoles = {node: source for node, source in memory.consoles.items() if node in seen or source not in fresh}
    return tables, MeshMemory({node.node: node.state for node in nodes}, {**consoles, **answering}, since)


def count_mesh(fleet: str, tables: Tables) -> Tables:
    """Count a fleet's nodes and wakeable nodes; every row is there, 0 where there is nothing."""
    nodes = Counter((node.state, node.standing) for node in tables.get(Node, ()) if isinstance(node, Node))
    asleep = Counter(node.state for node in tables.get(WakeableNode, ()) if isinstance(node, WakeableNode))
    return {
        NodeCount: tuple(
            NodeCount(fleet, state, standing, nodes[state, standing]) for state in NODE_STATES for standing in STANDINGS
        ),
        WakeableCount: tuple(WakeableCount(fleet, state, asleep[state]) for state in WAKEABLE_STATES),
    }


def drift_of(reading: MeshReading) -> Counter[str]:
    """Count what a console said that was not understood: left out by the source, or a word that no rule knows."""
    drift = Counter(reading.drift)
    for sighting in reading.sightings:
        drift["node_state"] += node_state(sighting.view).drift
    for wakeable in reading.wakeables:
        drift["wakeable_state"] += wakeable_state(wakeable.state)[1] == "unrecognised"
    return +drift


def _node(views: Sequence[_Seen], held: str | None, own_silent: bool, unmeasured_for: float) -> tuple[Node, Sighting]:
    index, basis = choose([(view.sighting.view, view.verdict.state) for view in views], held)
    sighting, verdict = views[index]
    view = sighting.view
    record = Node(
        fleet=view.fleet,
        node=view.node,
        hostname=view.hostname,
        role=view.role,
        version=view.version,
        basis=basis,
        state=verdict.state,
        reason=verdict.reason,
        reported=verdict.reported,
        standing=standing([each.sighting.view for each in views], own_silent, unmeasured_for),
        vram_bytes=0.0 if verdict.state == "client" and view.vram_bytes is not None else view.vram_bytes,
        inflight_requests=view.inflight_requests,
        requests_success=view.requests_success,
        requests_failure=view.requests_failure,
    )
    return record, sighting


def _links(readings: Sequence[MeshReading]) -> tuple[PeerLink, ...]:
    links: dict[tuple[str, str], PeerLink] = {}
    for reading in readings:
        for link in reading.links:
            links.setdefault((link.node, link.peer), link)
    return tuple(links.values())


def _wakeables(readings: Sequence[MeshReading]) -> Tables:
    """The wakeable nodes that any console lists; of several accounts that of the lowest observer id stands."""
    nodes: dict[str, WakeableNode] = {}
    models: dict[str, list[WakeableModel]] = {}
    for reading in sorted(readings, key=lambda reading: reading.observer):
        listed = {node.logical_id for node in reading.wakeables} - nodes.keys()
        for node in reading.wakeables:
            if node.logical_id in listed:
                nodes[node.logical_id] = msgspec.structs.replace(node, state=wakeable_state(node.state)[0])
        for model in reading.wakeable_models:
            if model.logical_id in listed:
                models.setdefault(model.logical_id, []).append(model)
    return {
        WakeableNode: tuple(nodes.values()),
        WakeableModel: tuple(model for each in models.values() for model in each),
    }
