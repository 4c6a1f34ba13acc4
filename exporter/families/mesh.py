"""Families of mesh-llm: nodes, models and peers."""

from __future__ import annotations

from exporter.families.family import Family, OneOf, Split, Word, info, value
from exporter.records import (
    NODE_STATES,
    Node,
    NodeCount,
    NodeGpu,
    NodeModel,
    NodeViews,
    PeerLink,
)

COUNTS = (
    value(
        "rollcall_nodes",
        NodeCount,
        "count",
        "Nodes of a fleet by state and standing; capacity to count on is the confirmed. All rows are always there.",
    ),
)

NODES = (
    info(
        "rollcall_node_info",
        Node,
        ("hostname", "role", "version", "basis"),
        "A node; basis tells whose view gives its state: its own (self), most peers' (quorum) or one's (single).",
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
        "rollcall_node_confirmed",
        Node,
        "confirmed",
        "1 while a node's own console answers, or it has none among the polled and a peer measures a latency to it.",
    ),
    value(
        "rollcall_node_ghost",
        Node,
        "ghost",
        "1 when only hearsay is left of a node: for 120 s no own report, and nobody knows a latency to it.",
    ),
    Family(
        "rollcall_node_views",
        NodeViews,
        Split("state", tuple((state, state) for state in NODE_STATES)),
        "Consoles, itself among them, whose fresh view shows a node in a state.",
    ),
    Family(
        "rollcall_node_views_disagree",
        NodeViews,
        Split("kind", (("expected", "expected"), ("real", "real"))),
        "Views of a node that differ from its state: as two rules for one thing do (expected), or otherwise, for two "
        "reads (real).",
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
