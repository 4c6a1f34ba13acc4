"""Families of wakeable capacity: what sleeps, what it would serve, and how wakes went."""

from __future__ import annotations

from exporter.families.family import Family, OneOf, info, value
from exporter.records import (
    WAKEABLE_STATES,
    WakeableBecomes,
    WakeableCount,
    WakeableModel,
    WakeableNode,
    WakeCount,
)

COUNTS = (
    value(
        "rollcall_wakeables",
        WakeableCount,
        "count",
        "Wakeable nodes of a fleet by state; never part of rollcall_nodes. All rows are always there.",
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
    info(
        "rollcall_wakeable_becomes",
        WakeableBecomes,
        ("node", "hostname"),
        "1 where an inventory says which node a wakeable one becomes once awake, by its id or by its host name.",
    ),
    value(
        "rollcall_wakeable_wake_eta_seconds",
        WakeableNode,
        "wake_eta_seconds",
        "How long a wakeable node is said to take to wake; while it wakes, what was promised when that began.",
    ),
    value(
        "rollcall_wakeable_wake_duration_seconds",
        WakeableNode,
        "wake_duration_seconds",
        "How long a wakeable node has been waking; while it does not, how long its last wake took.",
    ),
    value(
        "rollcall_wakes_total",
        WakeCount,
        "wakes",
        "Wakes of a provider's nodes that are over: the node became a live one, returned to sleep, or vanished.",
    ),
)
