"""A console of a mesh-llm mesh: `GET /api/status`, as mesh-llm 0.66 and older send it, and what else it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from exporter.endpoint import Endpoint
from exporter.records import LATENCIES, NodeGpu, NodeModel, NodeView, PeerLink, WakeableModel, WakeableNode
from exporter.records.reading import MeshReading, Sighting
from exporter.sources.connect import Resolve
from exporter.sources.decode import Count, Name, envelope, in_time, items, placed, sound
from exporter.sources.fetch import Door
from exporter.sources.gigabytes import in_bytes
from exporter.sources.mesh_capacity import holds_ready_stage, stages_of
from exporter.sources.mesh_optional import OptionalAnswers, Start, in_background
from exporter.sources.model_names import model_names
from exporter.sources.source import Deadline, Pace

NO_MODEL = ("", "(standby)", "(client)")
"""Display names that mesh-llm shows where there is no model."""

UNRECOGNISED = "unrecognised"
"""What a view holds of a latency's source that is none of them: it says nothing against the node."""

INVENTORY = "mesh-llm"
"""The `inventory` label of wakeable nodes that a mesh lists itself."""


class _Gpu(msgspec.Struct):
    name: str | None = None
    vram_bytes: Count | None = None
    reserved_bytes: Count | None = None
    mem_bandwidth_gbps: float | None = None


class _Models(msgspec.Struct):
    available_models: list[str] | None = None
    requested_models: list[str] | None = None
    serving_models: list[str] | None = None
    hosted_models: list[str] | None = None


class _Peer(_Models, kw_only=True):
    id: Name
    role: str | None = None
    state: str | None = None
    version: str | None = None
    hostname: str | None = None
    vram_gb: float | None = None
    rtt_ms: float | None = None
    latency_source: str | None = None
    gpus: list[msgspec.Raw] | None = None


class _Wakeable(msgspec.Struct):
    logical_id: Name
    models: list[str] | None = None
    vram_gb: float | None = None
    provider: str | None = None
    state: str | None = None
    wake_eta_secs: float | None = None


class _Runtime(msgspec.Struct):
    models: list[msgspec.Raw] | None = None
    stages: list[msgspec.Raw] | None = None


class _Instance(msgspec.Struct):
    pid: int | None = None
    started_at_unix: int | None = None
    is_self: bool = False


class _Routing(msgspec.Struct):
    request_count: Count | None = None
    successful_requests: Count | None = None


class _Status(_Models, kw_only=True):
    node_id: Name
    version: str | None = None
    node_state: str | None = None
    is_host: bool | None = None
    is_client: bool | None = None
    llama_ready: bool | None = None
    runtime: _Runtime | None = None
    model_name: str | None = None
    my_hostname: str | None = None
    my_vram_gb: float | None = None
    inflight_requests: Count | None = None
    routing_metrics: _Routing | None = None
    local_instances: list[msgspec.Raw] | None = None
    gpus: list[msgspec.Raw] | None = None
    peers: list[msgspec.Raw] | None = None
    wakeable_nodes: list[msgspec.Raw] | None = None


_STATUS = msgspec.json.Decoder(_Status)
_PEER = msgspec.json.Decoder(_Peer)
_GPU = msgspec.json.Decoder(_Gpu)
_INSTANCE = msgspec.json.Decoder(_Instance)
_WAKEABLE = msgspec.json.Decoder(_Wakeable)


class MeshConsole:
    """The source of one console."""

    kind = "mesh-llm"

    def __init__(
        self,
        fleet: str,
        endpoint: Endpoint,
        resolve: Resolve,
        pace: Pace,
        *,
        start: Start = in_background,
    ) -> None:
        self.fleet = fleet
        self.name = endpoint.name
        self.pace = pace
        self._connect = Door(endpoint, resolve)
        self._optional = OptionalAnswers(
            self._connect, fleet, self.name, timeout=pace.timeout, stale_after=pace.stale_after, start=start
        )

    def read(self, deadline: Deadline) -> MeshReading:
        """Ask the console for its status, and begin to ask for the rest; raises SourceError if there is no status.

        Never the OpenAI port: asking it counts as a request.
        """
        with self._connect(deadline) as session:
            reading = parse(session.get("/api/status").body, self.fleet, deadline)
        return self._optional.added_to(reading)


def parse(body: bytes, fleet: str, deadline: Deadline | None = None) -> MeshReading:
    """Turn a status payload into what its node says of itself, of its peers and of wakeable nodes.

    Units: `*_gb` are 10^9 bytes, `rtt_ms` milliseconds, `mem_bandwidth_gbps` 10^9 bytes per second. Raises
    SourceError, as `envelope` does, and "timeout" where the `deadline` ends meanwhile; a malformed peer, GPU or
    wakeable node is left out and counted as drift.
    """
    drift: Counter[str] = Counter()
    status = envelope(body, _STATUS, "a mesh-llm status", drift)
    me = status.node_id
    own = Sighting(_own_view(status, fleet, drift), _models(status, fleet, me), _gpus(status.gpus, fleet, me, drift))
    sightings = {me: own}
    links = []
    for peer in in_time(items(status.peers or (), _PEER, "peers", drift, deadline), deadline):
        if peer.id in sightings:
            drift["peers"] += 1
            continue
        view = _peer_view(peer, fleet, me, drift)
        sightings[peer.id] = Sighting(view, _models(peer, fleet, peer.id), _gpus(peer.gpus, fleet, peer.id, drift))
        latency = view.latency if view.latency in LATENCIES else "unknown"
        links.append(PeerLink(fleet, me, peer.id, latency or "unknown", view.rtt_seconds))
    stages = stages_of(status.runtime.stages if status.runtime else None, fleet, me, sightings, drift)
    wakeables, models = _wakeables(status.wakeable_nodes, fleet, drift, deadline)
    return MeshReading(
        observer=me,
        sightings=tuple(sightings.values()),
        links=tuple(links),
        wakeables=wakeables,
        wakeable_models=models,
        stages=stages,
        drift=dict(drift),
    )


def _own_view(status: _Status, fleet: str, drift: Counter[str]) -> NodeView:
    routing = status.routing_metrics or _Routing()
    success = routing.successful_requests
    failure = None
    if routing.request_count is not None and success is not None:
        failure = max(0, routing.request_count - success)
    return NodeView(
        fleet=fleet,
        observer=status.node_id,
        node=status.node_id,
        own=True,
        hostname=status.my_hostname,
        version=status.version,
        word=status.node_state,
        is_client=bool(status.is_client),
        is_host=bool(status.is_host),
        llama_ready=status.llama_ready,
        has_model=(status.model_name or "") not in NO_MODEL,
        has_activity=bool(status.hosted_models or (status.runtime and status.runtime.models)),
        serving=bool(status.serving_models),
        hosted=bool(status.hosted_models),
        role="Client" if status.is_client else "Host" if status.is_host else "Worker",
        vram_bytes=in_bytes(status.my_vram_gb, "vram_gb", drift),
        inflight_requests=status.inflight_requests,
        requests_success=success,
        requests_failure=failure,
        process=_process(status.local_instances, drift),
        stage_ready=holds_ready_stage(status.runtime.stages if status.runtime else None, status.node_id),
    )


def _process(raws: Sequence[msgspec.Raw] | None, drift: Counter[str]) -> str | None:
    """Tell a console's process from another with its identity: mesh-llm lists those of the machine, itself too."""
    own = (each for each in items(raws or (), _INSTANCE, "local_instances", drift) if each.is_self)
    return next((f"{each.pid} since {each.started_at_unix}" for each in own), None)


def _peer_view(peer: _Peer, fleet: str, observer: str, drift: Counter[str]) -> NodeView:
    latency = peer.latency_source
    if latency is None and peer.rtt_ms is not None:
        latency = "direct"
    if latency is not None and latency not in LATENCIES:
        drift["latency_source"] += 1
        latency = UNRECOGNISED
    rtt_ms = sound(peer.rtt_ms, "rtt_ms", drift)
    return NodeView(
        fleet=fleet,
        observer=observer,
        node=peer.id,
        own=False,
        hostname=peer.hostname,
        role=peer.role,
        version=peer.version,
        word=peer.state,
        serving=bool(peer.serving_models),
        hosted=bool(peer.hosted_models),
        latency=latency,
        rtt_seconds=None if rtt_ms is None else rtt_ms / 1000,
        vram_bytes=in_bytes(peer.vram_gb, "vram_gb", drift),
    )


def _models(said: _Models, fleet: str, node: str) -> tuple[NodeModel, ...]:
    relations = (
        ("available", said.available_models),
        ("requested", said.requested_models),
        ("serving", said.serving_models),
        ("hosted", said.hosted_models),
    )
    return tuple(
        NodeModel(fleet, node, model, relation) for relation, models in relations for model in model_names(models)
    )


def _gpus(raws: Sequence[msgspec.Raw] | None, fleet: str, node: str, drift: Counter[str]) -> tuple[NodeGpu, ...]:
    return tuple(
        NodeGpu(
            fleet,
            node,
            str(position),
            gpu.name,
            gpu.vram_bytes,
            gpu.reserved_bytes,
            in_bytes(gpu.mem_bandwidth_gbps, "mem_bandwidth_gbps", drift),
        )
        for position, gpu in placed(raws or (), _GPU, "gpus", drift)
    )


def _wakeables(
    raws: Sequence[msgspec.Raw] | None, fleet: str, drift: Counter[str], deadline: Deadline | None
) -> tuple[tuple[WakeableNode, ...], tuple[WakeableModel, ...]]:
    nodes: dict[str, WakeableNode] = {}
    models: list[WakeableModel] = []
    for said in in_time(items(raws or (), _WAKEABLE, "wakeable_nodes", drift, deadline), deadline):
        if said.logical_id in nodes:
            drift["wakeable_nodes"] += 1
            continue
        nodes[said.logical_id] = WakeableNode(
            fleet,
            said.logical_id,
            said.provider,
            INVENTORY,
            said.state,
            in_bytes(said.vram_gb, "vram_gb", drift),
            sound(said.wake_eta_secs, "wake_eta_secs", drift),
        )
        models += [WakeableModel(fleet, said.logical_id, model) for model in model_names(said.models)]
    return tuple(nodes.values()), tuple(models)
