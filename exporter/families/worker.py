"""Families of worker fleets: workers, what they hold, their machines and their rollouts."""

from __future__ import annotations

from exporter.families.family import Family, OneOf, Word, info, value
from exporter.records import (
    WORKER_STATUSES,
    Assignment,
    Inconsistency,
    RolloutCount,
    RolloutsFinished,
    Store,
    Worker,
    WorkerCount,
    WorkerGpu,
)

COUNTS = (
    value(
        "rollcall_workers",
        WorkerCount,
        "count",
        "Workers of a fleet by status. All rows are always there, or none where the store knows no workers.",
    ),
    value(
        "rollcall_rollouts",
        RolloutCount,
        "count",
        "Rollouts of a fleet by status; a finished one can change its status later. All rows are always there.",
    ),
)

WORKERS = (
    info(
        "rollcall_worker_info",
        Worker,
        ("host", "os"),
        "A worker and the machine that its newest heartbeat named.",
    ),
    Family(
        "rollcall_worker_status",
        Worker,
        OneOf("status", WORKER_STATUSES),
        "1 for the effective status of a worker, 0 for the others; a silent worker is unknown.",
    ),
    Family(
        "rollcall_worker_status_overridden",
        Worker,
        Word("reported"),
        "1 while the store claims another status than the effective one; absent otherwise.",
    ),
    Family(
        "rollcall_worker_unknown_reason",
        Worker,
        Word("reason"),
        "1 for the reason why a worker is unknown; absent while it is not.",
    ),
    value(
        "rollcall_worker_last_heartbeat_timestamp_seconds",
        Worker,
        "last_heartbeat",
        "When a worker last sent a heartbeat, on its store's clock.",
    ),
    value(
        "rollcall_worker_last_dequeue_timestamp_seconds",
        Worker,
        "last_dequeue",
        "When a worker last asked for work, on its store's clock.",
    ),
    value(
        "rollcall_worker_last_busy_timestamp_seconds",
        Worker,
        "last_busy",
        "When a worker was last reported busy, on its store's clock; not the start of the busy spell.",
    ),
    value(
        "rollcall_worker_last_idle_timestamp_seconds",
        Worker,
        "last_idle",
        "When a worker last became idle, on its store's clock; the store moves it for dead workers too.",
    ),
    value(
        "rollcall_worker_telemetry_stale",
        Worker,
        "telemetry_stale",
        "1 while a worker's heartbeats are older than the heartbeat timeout; its machine's metrics are then absent.",
    ),
    info(
        "rollcall_worker_assignment",
        Assignment,
        (),
        "1 for the rollout and attempt that a worker holds, as its store claims.",
    ),
    info(
        "rollcall_worker_inconsistency",
        Inconsistency,
        (),
        "1 while something is inconsistent about a worker. held_by_gone, held_by_unknown, held_by_idle: it is not "
        "listed, unknown or idle, and a preparing or running rollout is said to be its. shared_attempt: another one "
        "holds the same attempt. shared_id: in the last 15 minutes heartbeats under its id came from two hosts, or "
        "clocks, by turns. busy_unassigned: it is busy and holds no attempt, though its store has rollouts. "
        "attempt_stalled: its heartbeats are fresh, but its attempt, which did send spans, has sent none for 10 "
        "heartbeat timeouts.",
    ),
    value(
        "rollcall_worker_clock_skew_seconds",
        Worker,
        "clock_skew_seconds",
        "How far a worker's clock is ahead of its store's, by the snapshot of its newest heartbeat; where that says no "
        "time zone, less whole quarters of an hour. A heartbeat that is long on its way shows as a clock behind. "
        "Absent while heartbeats bring no snapshot with a time.",
    ),
    value(
        "rollcall_worker_cpu_usage_ratio",
        Worker,
        "cpu_usage_ratio",
        "CPU usage of a worker's machine, from 0 to 1.",
    ),
    value("rollcall_worker_memory_used_bytes", Worker, "memory_used_bytes", "Memory in use on a worker's machine."),
    value("rollcall_worker_memory_total_bytes", Worker, "memory_total_bytes", "Memory of a worker's machine."),
    value("rollcall_worker_disk_used_bytes", Worker, "disk_used_bytes", "Disk in use on a worker's machine, of /."),
    value("rollcall_worker_disk_total_bytes", Worker, "disk_total_bytes", "Disk of a worker's machine, of /."),
    value(
        "rollcall_worker_network_sent_bytes_total",
        Worker,
        "network_sent_bytes",
        "Bytes that a worker's machine sent since it booted.",
    ),
    value(
        "rollcall_worker_network_received_bytes_total",
        Worker,
        "network_received_bytes",
        "Bytes that a worker's machine received since it booted.",
    ),
    value(
        "rollcall_worker_gpu_utilization_ratio",
        WorkerGpu,
        "utilization_ratio",
        "Utilization of a GPU of a worker's machine, from 0 to 1.",
    ),
    value(
        "rollcall_worker_gpu_memory_used_bytes",
        WorkerGpu,
        "memory_used_bytes",
        "Memory in use on a GPU of a worker's machine.",
    ),
    value(
        "rollcall_worker_gpu_memory_total_bytes",
        WorkerGpu,
        "memory_total_bytes",
        "Memory of a GPU of a worker's machine.",
    ),
    value(
        "rollcall_worker_gpu_temperature_celsius",
        WorkerGpu,
        "temperature_celsius",
        "Temperature of a GPU of a worker's machine.",
    ),
    value(
        "rollcall_rollouts_finished_total",
        RolloutsFinished,
        "finished",
        "Rollouts that finished, by how; unknown is one that was deleted before it was read. Agent Lightning 1.x only.",
    ),
    value(
        "rollcall_store_start_timestamp_seconds",
        Store,
        "started",
        "When a store started, on its own clock; a store that restarts forgets its workers and rollouts.",
    ),
)
