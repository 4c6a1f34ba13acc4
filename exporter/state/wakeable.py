"""The tables of wakeable capacity: what meshes and inventories list, each once, less what is awake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

from exporter.records import (
    WAKEABLE_STATES,
    Becomes,
    Node,
    WakeableBecomes,
    WakeableCount,
    WakeableModel,
    WakeableNode,
)
from exporter.records.reading import InventoryReading, MeshReading
from exporter.records.table import Tables
from exporter.state.awake import Live
from exporter.state.mesh import wakeable_state
from exporter.state.wakes import Listed, WakeMemory, duration, judge_wakes


class Inventories(NamedTuple):
    """The fresh answers of one fleet that list wakeable nodes, by source.

    `unsure` are nodes that only consoles listed that are silent now; `mesh` tells whether the fleet has a mesh at all.
    """

    meshes: Mapping[str, MeshReading] = {}
    files: Mapping[str, InventoryReading] = {}
    unsure: Collection[str] = ()
    mesh: bool = True


def wakeable_tables(fresh: Inventories, mesh: Tables, memory: WakeMemory, wall: float) -> tuple[Tables, WakeMemory]:
    """Merge what is listed by logical id, and follow every wake; gives the tables and what to remember.

    `mesh` has the fleet's nodes and what its consoles list. A mesh's word wins over an inventory's: it is live; of two
    inventories the first by name. An entry whose `becomes` names a live node is awake, and left out: its capacity is
    counted there. It stays so until the mesh says otherwise; while no console answers, the hint of an entry that is
    said to sleep or wake is told nevertheless. `wall` is Unix time in seconds.
    """
    listed = _listed(fresh, mesh)
    nodes = [node for node in mesh.get(Node, ()) if isinstance(node, Node)]
    live = Live.of(nodes, fresh.unsure, told=bool(fresh.meshes) or not fresh.mesh)
    memory = judge_wakes(listed, live, _answered(fresh), memory, wall)
    asleep = {logical_id: entry for logical_id, entry in listed.items() if logical_id not in memory.awake}
    shown = tuple(_shown(entry.node, memory, wall) for entry in asleep.values())
    models = tuple(model for model in _models(fresh, mesh, asleep))
    said = (
        {} if live.there is not None else {name: each for name, each in listed.items() if each.node.state is not None}
    )
    hints = [(entry.node, entry.becomes) for entry in {**asleep, **said}.values() if entry.becomes is not None]
    becomes = tuple(WakeableBecomes(node.fleet, node.logical_id, hint.node, hint.hostname) for node, hint in hints)
    return {WakeableNode: shown, WakeableModel: models, WakeableBecomes: becomes}, memory


def count_wakeables(fleet: str, tables: Tables) -> Tables:
    """Count a fleet's wakeable nodes; every row is there, 0 where there is nothing."""
    asleep = Counter(node.state for node in tables.get(WakeableNode, ()) if isinstance(node, WakeableNode))
    return {WakeableCount: tuple(WakeableCount(fleet, state, asleep[state]) for state in WAKEABLE_STATES)}


def drift_of(reading: InventoryReading) -> Counter[str]:
    """Count what an inventory said that was not understood: left out by the source, or a state that is none."""
    drift = Counter(reading.drift)
    drift["wakeable_state"] += sum(wakeable_state(node.state)[0] is None for node in reading.wakeables)
    return +drift


def unclear_in(reading: InventoryReading, memory: WakeMemory) -> Counter[str]:
    """Count what an inventory says that its entries become and that turned out to be no one node, as drift."""
    return +Counter(becomes=len(reading.becomes.keys() & set(memory.unclear)))


def _listed(fresh: Inventories, mesh: Tables) -> dict[str, Listed]:
    becomes: dict[str, Becomes] = {}
    for name in sorted(fresh.files):
        becomes = {**fresh.files[name].becomes, **becomes}
    consoles: dict[str, list[str]] = {}
    for source, reading in sorted(fresh.meshes.items()):
        for node in reading.wakeables:
            consoles.setdefault(node.logical_id, []).append(_mesh(source))
    listed: dict[str, Listed] = {}
    for record in mesh.get(WakeableNode, ()):
        if isinstance(record, WakeableNode):
            name = record.logical_id
            listed[name] = Listed(record, tuple(consoles.get(name, ())), becomes.get(name))
    for source, inventory in sorted(fresh.files.items()):
        for node in inventory.wakeables:
            if node.logical_id not in listed:
                judged = msgspec.structs.replace(node, state=wakeable_state(node.state)[0])
                listed[node.logical_id] = Listed(judged, (_file(source),), becomes.get(node.logical_id))
    return listed


def _models(fresh: Inventories, mesh: Tables, listed: Mapping[str, Listed]) -> list[WakeableModel]:
    """The models of each listed node, from whoever's account of it stands."""
    models = [
        model
        for model in mesh.get(WakeableModel, ())
        if isinstance(model, WakeableModel) and model.logical_id in listed
    ]
    for source, inventory in sorted(fresh.files.items()):
        standing = {name for name, entry in listed.items() if entry.sources == (_file(source),)}
        models += [model for model in inventory.wakeable_models if model.logical_id in standing]
    return models


def _answered(fresh: Inventories) -> frozenset[str]:
    return frozenset([*map(_mesh, fresh.meshes), *map(_file, fresh.files)])


def _mesh(source: str) -> str:
    return f"mesh-llm {source}"


def _file(source: str) -> str:
    return f"inventory {source}"


def _shown(node: WakeableNode, memory: WakeMemory, wall: float) -> WakeableNode:
    wake = memory.wakes.get(node.logical_id)
    if wake is None:
        return node
    eta = wake.promised if wake.took is None else node.wake_eta_seconds
    return msgspec.structs.replace(node, wake_eta_seconds=eta, wake_duration_seconds=duration(wake, wall))
