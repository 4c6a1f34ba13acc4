"""A node's console: its status and what else it answers, computed from the state of the mesh; 404 for all else."""

from __future__ import annotations

import math
import zlib
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from exporter.demo import payload
from exporter.demo.agenda import Timeline
from exporter.demo.hardware import GpuModel
from exporter.demo.mesh import Mesh
from exporter.demo.nodes import Node
from exporter.demo.server import Answer, Request
from exporter.demo.slots import llama
from exporter.demo.stages import runtime_stages, statuses
from exporter.demo.targets import model_targets, wanted_refs

INVITATION = "demo-join-token"
API_PORT = 9337
NEWCOMER = 60.0


class Console:
    """What one node answers. `port` is the console's own, which a serving node names as its instance's."""

    def __init__(self, mesh: Mesh, timeline: Timeline, node: Node, port: int = 3131) -> None:
        self._mesh, self._timeline, self._node, self.port = mesh, timeline, node, port

    def answer(self, request: Request) -> Answer:
        """Answer a request as mesh-llm does: whatever it does not know is 404, HEAD and POST too."""
        said = self._said(request.path) if request.method == "GET" else None
        return Answer(404, b'{"error":"Not found"}') if said is None else Answer(200, msgspec.json.encode(said))

    def _said(self, path: str) -> Any:
        if path == "/api/status":
            return self.status()
        if self._node.old:
            return None
        if path == "/api/runtime/llama":
            return llama(self._node, self._milliseconds(self._mesh.agenda.now))
        if path == "/api/runtime/stages":
            return runtime_stages(self._mesh.split, self._node)
        return {"model_targets": self._targets()} if path == "/api/model-targets" else None

    def status(self) -> payload.Status:
        """The payload of this moment."""
        node, mesh = self._node, self._mesh
        name = node.model.name if node.model else "(client)" if node.client else "(standby)"
        pi, goose = _launch(name) if node.ready or node.model is None else (None, None)
        count = node.succeeded + node.failed
        return payload.Status(
            version=node.version,
            node_id=node.node_id,
            token=INVITATION,
            node_state=UNSET if node.old else _word(node),
            node_status=UNSET if node.old else _word(node).capitalize(),
            is_host=node.ready,
            is_client=node.client,
            llama_ready=node.ready or node.model is None,
            runtime=self._runtime(),
            model_name=name,
            models=node.assigned,
            requested_models=node.assigned,
            wanted_model_refs=wanted_refs(self._targets()) or UNSET,
            serving_models=node.serving,
            hosted_models=node.hosted,
            api_port=API_PORT,
            my_vram_gb=node.vram_gb,
            model_size_gb=node.model.size_gb if node.model else 0.0,
            peers=[self._peer(peer) for peer in mesh.listed(node)],
            wakeable_nodes=self._wakeables(),
            local_instances=[self._instance()],
            launch_pi=pi,
            launch_goose=goose,
            inflight_requests=node.inflight,
            mesh_id=mesh.mesh_id,
            mesh_name="demo-mesh" if node is mesh.consoles[0] else UNSET,
            my_hostname=node.hostname,
            gpus=_gpus(node.gpus),
            routing_affinity=payload.affinity(min(count, 40), count),
            routing_metrics=_routing(node),
            first_joined_mesh_ts=self._milliseconds(node.joined),
        )

    def _peer(self, peer: Node) -> payload.Peer:
        rtt, milliseconds, source, witness = self._latency(peer)
        old = self._node.old
        return payload.Peer(
            id=peer.node_id,
            owner=payload.Owner(),
            role="Client" if peer.client else "Host" if peer.ready else "Worker",
            state=UNSET if old else _peer_word(peer),
            models=peer.assigned,
            available_models=[],
            requested_models=peer.assigned,
            vram_gb=peer.vram_gb,
            serving_models=peer.serving,
            hosted_models=peer.hosted,
            hosted_models_known=True,
            version=peer.version,
            rtt_ms=rtt,
            latency_ms=UNSET if old else milliseconds,
            latency_source=UNSET if old else source,
            latency_age_ms=UNSET if old else self._latency_age(peer, source),
            latency_observer_id=UNSET if old else witness,
            hostname=peer.hostname,
            is_soc=False,
            gpus=_gpus(peer.gpus),
            first_joined_mesh_ts=UNSET if source == "unknown" else self._milliseconds(peer.joined),
        )

    def _latency(self, peer: Node) -> tuple[int | None, int | UnsetType, str, str | UnsetType]:
        if self._mesh.is_ghost(peer):
            return None, UNSET, "unknown", UNSET
        draw, now = self._draw(peer), self._mesh.agenda.now
        rtt = 1 + draw % 9 + (draw + int(now // 12)) % 3
        here = (peer.node_id, self._node.node_id)
        others = [n for n in self._mesh.consoles if n.node_id not in here and n.up]
        if now - peer.joined < NEWCOMER and peer.joined > 0.0:
            if draw % 3 == 0:
                return None, UNSET, "unknown", UNSET
            if draw % 3 == 1 and others:
                return None, rtt + 1, "estimated", others[0].node_id
        return rtt, rtt + draw % 3, "direct", UNSET

    def _latency_age(self, peer: Node, source: str) -> int:
        return 0 if source == "unknown" else (self._draw(peer) + int(self._mesh.agenda.now * 1000)) % 15000

    def _draw(self, peer: Node) -> int:
        """A number that stays the same for a pair of nodes, whichever looks at the other."""
        return zlib.crc32("/".join(sorted((self._node.node_id, peer.node_id))).encode())

    def _wakeables(self) -> list[payload.WakeableNode]:
        return [
            payload.WakeableNode(
                logical_id=entry.reserve.logical_id,
                models=list(entry.reserve.models),
                vram_gb=sum(gpu.vram_bytes for gpu in entry.reserve.gpus) / 1e9,
                provider=UNSET if entry.reserve.provider is None else entry.reserve.provider,
                state="sleeping" if entry.awake_at is None else "waking",
                wake_eta_secs=UNSET if entry.awake_at is None else self._eta(entry.awake_at),
            )
            for entry in self._mesh.wakeables.values()
            if entry.node is None
        ]

    def _eta(self, awake_at: float) -> int:
        return max(0, math.ceil((awake_at - self._mesh.agenda.now) / self._timeline.speed))

    def _targets(self) -> list[dict[str, Any]]:
        return model_targets(self._mesh, self._node, self._timeline.speed)

    def _runtime(self) -> payload.Runtime:
        node = self._node
        models = [
            payload.RuntimeModel(name, f"runtime-{place}", "skippy", "ready", 30000 + (node.pid + 331 * place) % 20000)
            for place, name in enumerate(node.hosted, 1)
        ]
        stages = statuses(self._mesh.split, node)
        return payload.Runtime("skippy" if node.model else UNSET, models, stages or UNSET)

    def _instance(self) -> payload.LocalInstance:
        node = self._node
        if node.model is None:
            return payload.LocalInstance(node.pid, API_PORT, node.version, 0, "", True)
        started, folder = int(self._timeline.wall(node.started)), f"/run/mesh-llm/{node.hostname}/{node.pid}"
        return payload.LocalInstance(node.pid, self.port, node.version, started, folder, True)

    def _milliseconds(self, instant: float) -> int:
        return int(self._timeline.wall(instant) * 1000)


def _word(node: Node) -> str:
    return "client" if node.client else "serving" if node.ready else "standby"


def _peer_word(peer: Node) -> str:
    """A peer's state: one that has a model assigned counts as serving before it is ready (0.66.0, `collector.rs`)."""
    return "client" if peer.client else "serving" if peer.serving or peer.hosted else "standby"


def _launch(model: str) -> tuple[str, str]:
    """How to start two agents on the node's API, as the console proposes it."""
    server = f"OPENAI_HOST=http://localhost:{API_PORT} OPENAI_API_KEY=mesh"
    return (
        f"mesh-llm pi --host 127.0.0.1:{API_PORT} --model '{model}'",
        f"GOOSE_PROVIDER=openai {server} GOOSE_MODEL={model} goose session",
    )


def _routing(node: Node) -> dict[str, Any]:
    return payload.routing(node.succeeded, node.failed, node.tokens, node.inflight, node.peak_inflight)


def _gpus(gpus: tuple[GpuModel, ...]) -> list[payload.Gpu]:
    return [payload.Gpu(gpu.name, gpu.vram_bytes, gpu.reserved_bytes, gpu.mem_bandwidth_gbps) for gpu in gpus]
