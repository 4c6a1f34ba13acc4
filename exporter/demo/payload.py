"""The shape of mesh-llm's `/api/status`: field order and types of captured 0.66.0 payloads.

A field that is UNSET is left out, as mesh-llm leaves it out. `reserved_bytes` and `mem_bandwidth_gbps`, and everything
in `WakeableNode` and `Stage`, were not in any capture; they are written as mesh-llm's source declares them.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Owner(msgspec.Struct):
    """Who vouches for a node."""

    status: str = "unsigned"
    verified: bool = False


class RuntimeModel(msgspec.Struct):
    """A model that runs on the node."""

    name: str
    instance_id: str
    backend: str
    status: str
    port: int


class Stage(msgspec.Struct, kw_only=True):
    """The part of a split model that a node runs: its layers from `layer_start` up to `layer_end`."""

    topology_id: str
    run_id: str
    model_id: str
    backend: str = "skippy"
    materialized_pinned: bool = False
    multimodal: bool = False
    stage_id: str
    stage_index: int
    node_id: str
    layer_start: int
    layer_end: int
    state: str
    bind_addr: str
    activation_width: int = 4096
    wire_dtype: str = "f16"
    ctx_size: int = 2048
    lane_count: int = 4
    shutdown_generation: int = 1


class Runtime(msgspec.Struct):
    """What runs on the node; `backend` is absent where nothing ever did, `stages` where no model is split."""

    backend: str | UnsetType
    models: list[RuntimeModel]
    stages: list[Stage] | UnsetType = UNSET


class Gpu(msgspec.Struct):
    """A GPU; bandwidth in 10^9 bytes a second."""

    name: str
    vram_bytes: int
    reserved_bytes: int | UnsetType = UNSET
    mem_bandwidth_gbps: float | UnsetType = UNSET


class Peer(msgspec.Struct, kw_only=True):
    """Another node as this one sees it; times are milliseconds, `vram_gb` 10^9 bytes."""

    id: str
    owner: Owner
    role: str
    state: str | UnsetType
    models: list[str]
    available_models: list[str]
    requested_models: list[str]
    vram_gb: float
    serving_models: list[str]
    hosted_models: list[str]
    hosted_models_known: bool
    version: str
    rtt_ms: int | None
    latency_ms: int | UnsetType
    latency_source: str | UnsetType
    latency_age_ms: int | UnsetType
    latency_observer_id: str | UnsetType
    hostname: str
    is_soc: bool
    gpus: list[Gpu]
    first_joined_mesh_ts: int | UnsetType


class WakeableNode(msgspec.Struct):
    """Capacity that could be woken; `vram_gb` is 10^9 bytes, the eta seconds."""

    logical_id: str
    models: list[str]
    vram_gb: float
    provider: str | UnsetType
    state: str
    wake_eta_secs: int | UnsetType


class LocalInstance(msgspec.Struct):
    """A mesh-llm process on the node's machine."""

    pid: int
    api_port: int
    version: str
    started_at_unix: int
    runtime_dir: str
    is_self: bool


class Status(msgspec.Struct, kw_only=True):
    """A console's whole answer."""

    version: str
    latest_version: str | None = None
    node_id: str
    owner: Owner = msgspec.field(default_factory=Owner)
    token: str
    node_state: str | UnsetType
    node_status: str | UnsetType
    is_host: bool
    is_client: bool
    llama_ready: bool
    runtime: Runtime
    model_name: str
    models: list[str]
    available_models: list[str] = []
    requested_models: list[str]
    wanted_model_refs: list[str] | UnsetType
    serving_models: list[str]
    hosted_models: list[str]
    draft_name: str | None = None
    api_port: int
    my_vram_gb: float
    model_size_gb: float
    peers: list[Peer]
    wakeable_nodes: list[WakeableNode]
    local_instances: list[LocalInstance]
    launch_pi: str | None
    launch_goose: str | None
    inflight_requests: int
    mesh_id: str
    mesh_name: str | UnsetType
    nostr_discovery: bool = False
    publication_state: str = "private"
    my_hostname: str
    my_is_soc: bool = False
    gpus: list[Gpu]
    routing_affinity: dict[str, bool | int]
    routing_metrics: dict[str, Any]
    first_joined_mesh_ts: int


def affinity(entries: int, lookups: int) -> dict[str, bool | int]:
    """How requests were routed by what they share with earlier ones."""
    hits = max(0, lookups - entries)
    return {
        "prefix_enabled": True,
        "sticky_enabled": True,
        "prefix_entries": entries,
        "prefix_lookups": lookups,
        "prefix_hits": hits,
        "prefix_misses": lookups - hits,
        "prefix_stale": 0,
        "prefix_routes": hits,
        "sticky_routes": 0,
        "session_routes": 0,
        "learned": entries,
        "evicted": 0,
    }


def routing(succeeded: int, failed: int, tokens: int, inflight: int, peak: int) -> dict[str, Any]:
    """Counters and averages over the process' life; there is no throughput before the first success."""
    count = succeeded + failed
    local = {
        "avg_queue_wait_ms": 0.0,
        "avg_attempt_ms": tokens * 9.0 / count if count else 0.0,
        **({"avg_tokens_per_second": 110.0 + succeeded % 7} if succeeded else {}),
        "completion_tokens_observed": tokens,
        "throughput_samples": succeeded,
    }
    return {
        "request_count": count,
        "successful_requests": succeeded,
        "success_rate": succeeded / count if count else 0.0,
        "retry_count": 0,
        "failover_count": 0,
        "attempt_timeout_count": 0,
        "attempt_unavailable_count": failed,
        "attempt_context_overflow_count": 0,
        "attempt_reject_count": 0,
        **local,
        "local_node": {
            "current_inflight_requests": inflight,
            "peak_inflight_requests": peak,
            "local_attempt_count": count,
            "remote_attempt_count": 0,
            "endpoint_attempt_count": 0,
            **local,
        },
        "pressure": {
            "fronted_request_count": count,
            "locally_served_request_count": count,
            "remotely_served_request_count": 0,
            "endpoint_request_count": 0,
            "local_service_share": 1.0 if count else 0.0,
            "remote_service_share": 0.0,
            "endpoint_service_share": 0.0,
        },
    }
