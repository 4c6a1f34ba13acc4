"""Families of what is remembered: presence, since when, how often states changed, and the ledger behind them."""

from __future__ import annotations

from exporter.families.family import value
from exporter.records import (
    LedgerStatus,
    NodeMemory,
    NodeTransitions,
    WakeableMemory,
    WorkerMemory,
    WorkerTransitions,
)

NODES = (
    value(
        "rollcall_node_present",
        NodeMemory,
        "present",
        "1 while a node is listed, 0 for the tombstone window after it left; absent without a fresh read of its fleet.",
    ),
    value(
        "rollcall_node_state_since_timestamp_seconds",
        NodeMemory,
        "since",
        "When a node came into the state that it is in.",
    ),
    value(
        "rollcall_node_ordinal",
        NodeMemory,
        "ordinal",
        "A node's place in drawings of its fleet: the lowest that was free when it came.",
    ),
    value(
        "rollcall_node_state_transitions_total",
        NodeTransitions,
        "count",
        "How often nodes of a fleet went from one state to another, over restarts too. All rows are always there.",
    ),
)

WAKEABLES = (
    value(
        "rollcall_wakeable_state_since_timestamp_seconds",
        WakeableMemory,
        "since",
        "When a wakeable node came into the state that it is in; absent where its state was not understood.",
    ),
)

WORKERS = (
    value(
        "rollcall_worker_present",
        WorkerMemory,
        "present",
        "1 while a worker is listed, 0 for the tombstone window after it left; absent without a fresh read of its "
        "store.",
    ),
    value(
        "rollcall_worker_status_since_timestamp_seconds",
        WorkerMemory,
        "since",
        "When a worker came into its effective status.",
    ),
    value(
        "rollcall_worker_status_transitions_total",
        WorkerTransitions,
        "count",
        "How often workers of a fleet went from one effective status to another, over restarts too. All rows are "
        "always there.",
    ),
)

LEDGER = (
    value(
        "rollcall_ledger_available",
        LedgerStatus,
        "available",
        "1 while what Rollcall remembers is kept on disk, 0 while in memory only: a restart would forget it.",
    ),
)
