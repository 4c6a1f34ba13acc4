"""Families of mesh-llm: nodes, models, peers and wakeable capacity."""

from __future__ import annotations

from exporter.families.family import Family, OneOf, Split, Word, info, value
from exporter.records import (
    NODE_STATES,
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

COUNTS = (
    value(
        "rollcall_nodes",
        NodeCount,
        "count",
        "Nodes of a fleet by state and standing; capacity to count on is the confirmed. All rows are always there.",
    ),
    value(
        "rollcall_wakeables",
        WakeableCount,
        "count",
        "Wakeable nodes of a fleet by state; never part of rollcall_nodes. All rows are always there.",
    ),
)

NODES = (
    info(
        "rollcall_node_info",
        Node,
        ("hostname", "role", "version", "basis"),
        "A node; basis tells whose view its state follows: its own (self) or one peer's (single).",
    ),
    Family(
        "rollcall_node_state",
        Node,
        OneOf("state", NODE_STATES),
        "1 for the state that a node is in, 0 for the others.",
    ),
    Family(
        "rollcall_node_state_overridden",
        Node,
        Word("reported"),
        "1 while a node reports another state than the one it is in; absent otherwise.",
    ),
    value(
        "rollcall_node_vram_bytes",
        Node,
        "vram_bytes",
        "The VRAM budget that a node offers to the mesh: not a GPU's memory (75 % of RAM on a host without GPU), "
        "0 on clients.",
    ),
    value(
        "rollcall_node_inflight_requests",
        Node,
        "inflight_requests",
        "Requests in flight on a node; tunnelled ones count twice upstream.",
    ),
    Family(
        "rollcall_node_requests_total",
        Node,
        Split("outcome", (("success", "requests_success"), ("failure", "requests_failure"))),
        "Requests that a node routed, by outcome. Routed ones count on client and host: never sum over a mesh.",
    ),
    info(
        "rollcall_node_model",
        NodeModel,
        (),
        "1 for each model that a node makes available, requests, serves or hosts; file paths are left out.",
    ),
    value(
        "rollcall_node_gpu_memory_bytes",
        NodeGpu,
        "memory_bytes",
        "Memory of a node's GPU, by its position in the node's list.",
        labels=("name",),
    ),
    value(
        "rollcall_node_gpu_memory_reserved_bytes",
        NodeGpu,
        "memory_reserved_bytes",
        "Memory of a node's GPU that is not for models.",
    ),
    value(
        "rollcall_node_gpu_memory_bandwidth_bytes_per_second",
        NodeGpu,
        "memory_bandwidth_bytes_per_second",
        "Memory bandwidth of a node's GPU.",
    ),
    info(
        "rollcall_node_peer",
        PeerLink,
        ("latency",),
        "1 for each peer that a polled node lists; latency is direct, estimated or unknown.",
    ),
    value(
        "rollcall_node_peer_rtt_seconds",
        PeerLink,
        "rtt_seconds",
        "Round trip time from a node to its peer; only where it was measured.",
    ),
)

WAKEABLES = (
    info(
        "rollcall_wakeable_info",
        WakeableNode,
        ("provider", "inventory"),
        "A node that sleeps and could be woken; inventory tells who listed it.",
    ),
    Family(
        "rollcall_wakeable_state",
        WakeableNode,
        OneOf("state", WAKEABLE_STATES),
        "1 for the state that a wakeable node is in, 0 for the others; all 0 where its state was not understood.",
    ),
    value(
        "rollcall_wakeable_vram_bytes",
        WakeableNode,
        "vram_bytes",
        "VRAM that a wakeable node would add once awake.",
    ),
    info(
        "rollcall_wakeable_model",
        WakeableModel,
        (),
        "1 for each model that a wakeable node would serve.",
    ),
    value(
        "rollcall_wakeable_wake_eta_seconds",
        WakeableNode,
        "wake_eta_seconds",
        "How long a wakeable node is said to take to wake.",
    ),
)
