"""The tables of a mesh: one node per id from all fresh readings of its consoles, and what could be woken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from exporter.records import (
    NODE_STATES,
    STANDINGS,
    ModelLoad,
    Node,
    NodeCount,
    NodeGpu,
    NodeModel,
    NodeViews,
    PeerLink,
    WakeableModel,
    WakeableNode,
)
from exporter.records.reading import MeshReading
from exporter.records.table import Tables
from exporter.state.capacity_tables import capacity_tables
from exporter.state.consoles import Heard, url_of
from exporter.state.loads import Loads, load_table, watch
from exporter.state.mesh import node_state, wakeable_state
from exporter.state.reconcile import choose, standing, unmeasured
from exporter.state.views import Dissents, Seen, count_views

DISOWNED_AFTER = 360.0
"""Seconds after which a console that answers for another node is no more its former node's, which may live on without
one; mesh-llm 0.66's peers list a dead node for 302 s at most."""


class MeshMemory(NamedTuple):
    """What the next judgement needs of the last: states held, whose console is whose, since when nobody measured whom.

    `consoles` maps a node to the console where it answered last. On a monotonic clock in seconds: `unmeasured_since`,
    and `moved_since`, from when that console has been another node's, or none. `dissents` goes with `readings`, the
    fresh ones of the last judgement, by source: what is not among them is new.
    """

    states: Mapping[str, str] = {}
    consoles: Mapping[str, str] = {}
    unmeasured_since: Mapping[str, float] = {}
    moved_since: Mapping[str, float] = {}
    dissents: Dissents = {}
    readings: Mapping[str, MeshReading] = {}
    loads: Loads = Loads()


class Ground(NamedTuple):
    """What nodes are judged by beside the views of them: what is remembered, and what was read.

    `answering` maps a node to its console that answers, `polled` are the consoles that are read at all, `new` the
    sources read since the last judgement, `now` is on the clock of `memory.unmeasured_since`.
    """

    memory: MeshMemory = MeshMemory()
    answering: Mapping[str, str] = {}
    polled: Collection[str] = ()
    new: Collection[str] = ()
    now: float = 0.0

    @classmethod
    def of(cls, heard: Heard, memory: MeshMemory, now: float) -> Ground:
        """The ground of a judgement of fresh readings."""
        new = {source for source, reading in heard.fresh.items() if memory.readings.get(source) is not reading}
        return cls(memory, heard.answering, heard.polled, new, now)

    def consoles(self) -> tuple[dict[str, str], dict[str, float]]:
        """Whose console is whose from now on, and since when those that are silent have been somebody else's."""
        urls, taken = set(map(url_of, self.polled)), set(self.answering.values())
        kept: dict[str, str] = {}
        moved: dict[str, float] = {}
        for node, console in self.memory.consoles.items():
            if console in taken or (console not in self.polled and url_of(console) in urls):
                moved[node] = self.memory.moved_since.get(node, self.now)
            if self.now - moved.get(node, self.now) < DISOWNED_AFTER:
                kept[node] = console
        silent = {node: since for node, since in moved.items() if node in kept and node not in self.answering}
        return {**kept, **self.answering}, silent


class Judged(NamedTuple):
    """A node as it was judged: its record, the view that stands, who sees it how, and why it has its standing."""

    node: Node
    chosen: Seen
    counts: NodeViews
    dissents: Dissents
    unmeasured_since: float | None
    own_silent: bool


def mesh_tables(heard: Heard, memory: MeshMemory, now: float) -> tuple[Tables, MeshMemory]:
    """Reconcile the fresh readings of a fleet's consoles; gives its tables and what to remember.

    `now` is on the clock of `memory.unmeasured_since`.
    """
    fresh, ground = heard.fresh, Ground.of(heard, memory, now)
    readings = [fresh[source] for source in sorted(fresh)]
    seen = seen_by(fresh)
    judged = {node: judge(views, ground) for node, views in seen.items()}
    nodes = [each.node for each in judged.values()]
    since = {node: each.unmeasured_since for node, each in judged.items() if each.unmeasured_since is not None}
    dissents: dict[tuple[str, str], int] = {}
    for each in judged.values():
        dissents |= each.dissents
    models = tuple(model for each in judged.values() for model in each.chosen.sighting.models)
    tables: Tables = {
        Node: tuple(nodes),
        NodeViews: tuple(each.counts for each in judged.values()),
        NodeModel: models,
        NodeGpu: tuple(gpu for each in judged.values() for gpu in each.chosen.sighting.gpus),
        PeerLink: _links(readings),
        **_wakeables(readings),
        **capacity_tables(readings, seen),
    }
    if not readings:
        return tables, memory
    states = {node.node: node.state for node in nodes}
    consoles, moved = ground.consoles()
    loads = watch(nodes, models, memory.loads, now)
    tables[ModelLoad] = load_table(nodes, loads)
    return tables, MeshMemory(states, consoles, since, moved, dissents, dict(fresh), loads)


def seen_by(fresh: Mapping[str, MeshReading], only: str | None = None) -> dict[str, list[Seen]]:
    """The views of every node, or of one, in readings by source; each view judged alone."""
    seen: dict[str, list[Seen]] = {}
    for source in sorted(fresh):
        for sighting in fresh[source].sightings:
            node = sighting.view.node
            if only is None or node == only:
                seen.setdefault(node, []).append(Seen(source, sighting, node_state(sighting.view)))
    return seen


def count_mesh(fleet: str, tables: Tables) -> Tables:
    """Count a fleet's nodes; every row is there, 0 where there is nothing."""
    nodes = Counter((node.state, node.standing) for node in tables.get(Node, ()) if isinstance(node, Node))
    return {
        NodeCount: tuple(
            NodeCount(fleet, state, standing, nodes[state, standing]) for state in NODE_STATES for standing in STANDINGS
        ),
    }


def drift_of(reading: MeshReading) -> Counter[str]:
    """Count what a console said that was not understood: left out by the source, or a word that no rule knows."""
    drift = Counter(reading.drift)
    for sighting in reading.sightings:
        drift["node_state"] += node_state(sighting.view).drift
    for wakeable in reading.wakeables:
        drift["wakeable_state"] += wakeable_state(wakeable.state)[1] == "unrecognised"
    return +drift


def judge(views: Sequence[Seen], ground: Ground) -> Judged:
    """Reconcile the fresh views of one node."""
    node, memory = views[0].view.node, ground.memory
    index, basis = choose([(each.view, each.state) for each in views], memory.states.get(node))
    chosen, evidence = views[index], [each.view for each in views]
    since = memory.unmeasured_since.get(node, ground.now) if unmeasured(evidence) else None
    own_silent = node in memory.consoles and node not in ground.answering
    stands = standing(evidence, own_silent, 0.0 if since is None else ground.now - since)
    counts, dissents = count_views(views, chosen, memory.dissents, ground.new)
    return Judged(_record(chosen, basis, stands), chosen, counts, dissents, since, own_silent)


def _record(chosen: Seen, basis: str, stands: str) -> Node:
    view, verdict = chosen.view, chosen.verdict
    return Node(
        fleet=view.fleet,
        node=view.node,
        hostname=view.hostname,
        role=view.role,
        version=view.version,
        basis=basis,
        state=verdict.state,
        reason=verdict.reason,
        reported=verdict.reported,
        standing=stands,
        confirmed=int(stands == "confirmed"),
        ghost=int(stands == "ghost"),
        vram_bytes=0.0 if verdict.state == "client" and view.vram_bytes is not None else view.vram_bytes,
        inflight_requests=view.inflight_requests,
        requests_success=view.requests_success,
        requests_failure=view.requests_failure,
    )


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
