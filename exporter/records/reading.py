"""What one successful read of a source said: records, not yet judged by any rule."""

from __future__ import annotations

import msgspec

from exporter.records.capacity import ModelTarget, NodeSlots, NodeStage
from exporter.records.mesh import NodeGpu, NodeModel, NodeView, PeerLink
from exporter.records.wakeable import Becomes, WakeableModel, WakeableNode
from exporter.records.worker import Attempt, RolloutCount, RolloutsFinished, Store, WorkerGpu, WorkerReport


class Sighting(msgspec.Struct, frozen=True):
    """One observer's view of a node, with the models and GPUs that this view lists."""

    view: NodeView
    models: tuple[NodeModel, ...] = ()
    gpus: tuple[NodeGpu, ...] = ()


class MeshReading(msgspec.Struct, frozen=True, kw_only=True):
    """A console's answer: itself first, then its peers, then the wakeable nodes it knows of.

    `slots` are its own, `stages` those of every node it speaks of, `targets` is None where it did not answer for them.
    `address` is the one address of the host name it was read by, None where the URL has an address or the name several.
    `drift` counts, by field, what was left out because it was not understood.
    """

    observer: str
    sightings: tuple[Sighting, ...]
    links: tuple[PeerLink, ...] = ()
    wakeables: tuple[WakeableNode, ...] = ()
    wakeable_models: tuple[WakeableModel, ...] = ()
    slots: tuple[NodeSlots, ...] = ()
    stages: tuple[NodeStage, ...] = ()
    targets: tuple[ModelTarget, ...] | None = None
    address: str | None = None
    drift: dict[str, int] = {}


class ConsolesReading(msgspec.Struct, frozen=True):
    """The answers of several consoles behind one URL, by address; `addresses` are all it has, answering or not.

    `drift` counts the addresses that did not answer.
    """

    readings: dict[str, MeshReading]
    addresses: tuple[str, ...]
    drift: dict[str, int] = {}


class InventoryReading(msgspec.Struct, frozen=True, kw_only=True):
    """An inventory's answer: capacity that could be woken, and by logical id which node it becomes, where that is said.

    `drift` counts, by field, what was left out because it was not understood.
    """

    wakeables: tuple[WakeableNode, ...]
    wakeable_models: tuple[WakeableModel, ...] = ()
    becomes: dict[str, Becomes] = {}
    drift: dict[str, int] = {}


class StoreReading(msgspec.Struct, frozen=True, kw_only=True):
    """A store's answer: workers, rollouts by status, and by worker the attempt that it holds or held at the last read.

    `read_at` is the store's clock when it began to answer, in seconds since the epoch: at that instant the ages
    of its workers are judged.
    `active` are the newest attempts of the rollouts that are preparing or running, whoever holds them.
    A store that has no workers at all does not list them; `finished` is empty where it does not tell what finished.
    `departed` are workers that are no longer listed because they left or were dropped, so that nobody misses them.
    `outage` is when reading the store last failed, from its last answer before to its first after, on its own clock;
    where it is `lenient`, who was not silent before it has as much time after it as if just heard of.
    `drift` counts, by field, what was left out because it was not understood.
    """

    store: Store
    workers: tuple[WorkerReport, ...]
    read_at: float = 0.0
    gpus: tuple[WorkerGpu, ...] = ()
    attempts: dict[str, Attempt] = {}
    active: tuple[Attempt, ...] = ()
    rollouts: tuple[RolloutCount, ...] = ()
    lists_workers: bool = True
    finished: tuple[RolloutsFinished, ...] = ()
    departed: tuple[str, ...] = ()
    outage: tuple[float, float] | None = None
    lenient: bool = False
    drift: dict[str, int] = {}
