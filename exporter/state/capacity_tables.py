"""How busy the nodes of a mesh are and how wanted its models, from what its consoles optionally answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from exporter.records import ModelTarget, NodeSlots, NodeStage
from exporter.records.reading import MeshReading
from exporter.records.table import Tables


def capacity_tables(readings: Sequence[MeshReading], nodes: Collection[str]) -> Tables:
    """The slots, stages and model targets of a fleet of `nodes`; of readings with one observer the first stands.

    Slots are a node's own word. The stages of a node too, where it speaks of any; else those that the lowest observer
    id knows of, and never of a node that is gone. Model targets are those of the lowest observer id that answered for
    them: each console counts for itself, so they are never summed.
    """
    ordered = sorted(readings, key=lambda reading: reading.observer)
    slots: dict[str, tuple[NodeSlots, ...]] = {}
    stages: dict[str, tuple[NodeStage, ...]] = {}
    for reading in ordered:
        slots.setdefault(reading.observer, reading.slots)
        own = _stages_by_node(reading.stages).get(reading.observer)
        if own:
            stages.setdefault(reading.observer, own)
    for reading in ordered:
        for node, known in _stages_by_node(reading.stages).items():
            if node in nodes:
                stages.setdefault(node, known)
    targets: tuple[ModelTarget, ...] = next((each.targets for each in ordered if each.targets is not None), ())
    return {
        NodeSlots: tuple(each for own in slots.values() for each in own),
        NodeStage: tuple(each for known in stages.values() for each in known),
        ModelTarget: targets,
    }


def _stages_by_node(stages: Sequence[NodeStage]) -> dict[str, tuple[NodeStage, ...]]:
    found: dict[str, list[NodeStage]] = {}
    for stage in stages:
        found.setdefault(stage.node, []).append(stage)
    return {node: tuple(each) for node, each in found.items()}
