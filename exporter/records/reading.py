"""What one successful read of a source said: records, not yet judged by any rule."""

from __future__ import annotations

import msgspec

from exporter.records.mesh import NodeGpu, NodeModel, NodeView, PeerLink, WakeableModel, WakeableNode
from exporter.records.worker import Attempt, RolloutCount, Store, WorkerGpu, WorkerReport


class Sighting(msgspec.Struct, frozen=True):
    """One observer's view of a node, with the models and GPUs that this view lists."""

    view: NodeView
    models: tuple[NodeModel, ...] = ()
    gpus: tuple[NodeGpu, ...] = ()


class MeshReading(msgspec.Struct, frozen=True, kw_only=True):
    """A console's answer: itself first, then its peers, then the wakeable nodes it knows of.

    `drift` counts, by field, what was left out because it was not understood.
    """

    observer: str
    sightings: tuple[Sighting, ...]
    links: tuple[PeerLink, ...] = ()
    wakeables: tuple[WakeableNode, ...] = ()
    wakeable_models: tuple[WakeableModel, ...] = ()
    drift: dict[str, int] = {}


class StoreReading(msgspec.Struct, frozen=True, kw_only=True):
    """A store's answer: workers, rollouts by status, and by worker the attempt that it holds or held at the last read.

    `outage` is when reading the store last failed, from its last answer before to its first after, on its own clock.
    `drift` counts, by field, what was left out because it was not understood.
    """

    store: Store
    workers: tuple[WorkerReport, ...]
    gpus: tuple[WorkerGpu, ...] = ()
    attempts: dict[str, Attempt] = {}
    rollouts: tuple[RolloutCount, ...] = ()
    outage: tuple[float, float] | None = None
    drift: dict[str, int] = {}
