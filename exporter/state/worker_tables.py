"""The tables of a worker fleet: every worker with its effective status, what it holds, and how many are how."""

from __future__ import annotations

from collections import Counter

from exporter.records import (
    ROLLOUT_STATUSES,
    WORKER_STATUSES,
    Assignment,
    RolloutCount,
    Store,
    Worker,
    WorkerCount,
    WorkerGpu,
    WorkerReport,
)
from exporter.records.reading import StoreReading
from exporter.records.table import Tables
from exporter.state.worker import INFINITY, Outage, WorkerVerdict, silence, telemetry_stale, worker_status

_UNTOLD = WorkerReport(fleet="", worker="", word="", read_at=0)


def worker_tables(reading: StoreReading, heartbeat_timeout: float, forget_after: float) -> Tables:
    """Judge every worker of a reading; times are in seconds.

    One that has been silent for longer than `forget_after` is dropped: a 0.3 store never deletes a worker.
    """
    outage = None if reading.outage is None else Outage(*reading.outage)
    workers: list[Worker] = []
    assignments: list[Assignment] = []
    measured: set[str] = set()
    for report in reading.workers:
        attempt = reading.attempts.get(report.worker)
        verdict = worker_status(report, attempt, heartbeat_timeout, outage)
        if verdict.reason == "silent" and forget_after < silence(report, attempt) < INFINITY:
            continue
        worker = _worker(report, verdict, telemetry_stale(report, heartbeat_timeout, outage))
        workers.append(worker)
        if worker.telemetry_stale == 0:
            measured.add(worker.worker)
        if report.rollout is not None and report.attempt is not None:
            held = Assignment(report.fleet, report.worker, report.rollout, report.attempt, worker.status)
            assignments.append(held)
    return {
        Worker: tuple(workers),
        WorkerGpu: tuple(gpu for gpu in reading.gpus if gpu.worker in measured),
        Assignment: tuple(assignments),
        Store: (reading.store,),
        RolloutCount: reading.rollouts,
    }


def count_workers(fleet: str, tables: Tables) -> Tables:
    """Count a fleet's workers by status, and make every row of its counts exist, 0 where there is nothing."""
    workers = Counter(worker.status for worker in tables.get(Worker, ()) if isinstance(worker, Worker))
    rollouts = tables.get(RolloutCount) or tuple(RolloutCount(fleet, status, 0) for status in ROLLOUT_STATUSES)
    return {
        WorkerCount: tuple(WorkerCount(fleet, status, workers[status]) for status in WORKER_STATUSES),
        RolloutCount: rollouts,
    }


def drift_of(reading: StoreReading) -> Counter[str]:
    """Count what a store said that was not understood: left out by the source, or a status that is none."""
    drift = Counter(reading.drift)
    drift["status"] += sum(report.word not in WORKER_STATUSES for report in reading.workers)
    return +drift


def _worker(report: WorkerReport, verdict: WorkerVerdict, stale: bool | None) -> Worker:
    told = report if stale is False else _UNTOLD
    return Worker(
        fleet=report.fleet,
        worker=report.worker,
        status=verdict.status,
        reason=verdict.reason if verdict.status == "unknown" else None,
        reported=verdict.reported,
        host=report.host,
        os=report.os,
        telemetry_stale=None if stale is None else int(stale),
        last_heartbeat=report.last_heartbeat,
        last_dequeue=report.last_dequeue,
        last_busy=report.last_busy,
        last_idle=report.last_idle,
        cpu_usage_ratio=told.cpu_usage_ratio,
        memory_used_bytes=told.memory_used_bytes,
        memory_total_bytes=told.memory_total_bytes,
        disk_used_bytes=told.disk_used_bytes,
        disk_total_bytes=told.disk_total_bytes,
        network_sent_bytes=told.network_sent_bytes,
        network_received_bytes=told.network_received_bytes,
    )
