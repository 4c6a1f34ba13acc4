"""The tables of a worker fleet: every worker with its effective status, what it holds, and how many are how."""

from __future__ import annotations

from collections import Counter

from exporter.records import (
    ROLLOUT_STATUSES,
    WORKER_STATUSES,
    Assignment,
    Inconsistency,
    RolloutCount,
    RolloutsFinished,
    Store,
    Worker,
    WorkerCount,
    WorkerGpu,
    WorkerReport,
)
from exporter.records.reading import StoreReading
from exporter.records.table import Tables
from exporter.state.consistency import Consistency, Recent
from exporter.state.worker import (
    Outage,
    WorkerVerdict,
    clock_skew,
    is_forgotten,
    telemetry_stale,
    worker_status,
)

_UNTOLD = WorkerReport(fleet="", worker="", word="", read_at=0)


def worker_tables(reading: StoreReading, heartbeat_timeout: float, forget_after: float) -> Tables:
    """Judge every worker of a reading, as the first that is read."""
    return judge_workers(reading, heartbeat_timeout, forget_after, Recent())[0]


def judge_workers(
    reading: StoreReading, heartbeat_timeout: float, forget_after: float, recent: Recent
) -> tuple[Tables, Recent]:
    """Judge every worker of a reading, and give what to judge the next by; times are in seconds.

    One that has been silent for longer than `forget_after` is dropped: a 0.3 store never deletes a worker.
    """
    outage = Outage.of(reading, heartbeat_timeout)
    workers: list[Worker] = []
    assignments: list[Assignment] = []
    measured: set[str] = set()
    consistency = Consistency(reading, recent, heartbeat_timeout, outage)
    bare = consistency.senders.bare
    for report in reading.workers:
        attempt = reading.attempts.get(report.worker)
        verdict = worker_status(report, attempt, heartbeat_timeout, outage)
        if verdict.reason == "silent" and is_forgotten(report, attempt, forget_after):
            consistency.forgotten.add(report.worker)
            continue
        stale = telemetry_stale(report, heartbeat_timeout, outage)
        worker = _worker(report, verdict, stale, None if bare and report.worker in bare else clock_skew(report))
        workers.append(worker)
        if worker.telemetry_stale == 0:
            measured.add(worker.worker)
        if report.rollout is not None and report.attempt is not None:
            held = Assignment(report.fleet, report.worker, report.rollout, report.attempt, worker.status)
            assignments.append(held)
        if verdict.status == "busy" or report.rollout is not None:
            consistency.take(report, attempt, verdict, stale)
    inconsistencies, recent = consistency.judged(workers)
    tables: Tables = {
        Worker: tuple(workers),
        WorkerGpu: tuple(gpu for gpu in reading.gpus if gpu.worker in measured),
        Assignment: tuple(assignments),
        Inconsistency: inconsistencies,
        Store: (reading.store,),
        RolloutCount: reading.rollouts,
        RolloutsFinished: reading.finished,
    }
    return tables, recent


def count_workers(fleet: str, tables: Tables, *, lists_workers: bool = True, lists_rollouts: bool = True) -> Tables:
    """Count a fleet's workers by status, and make every row of its counts exist, 0 where there is nothing.

    A fleet whose store has no workers at all has no rows of them: that it has none that is idle would not be true. Nor
    has that of a registry rows of rollouts, which it does not know.
    """
    workers = Counter(worker.status for worker in tables.get(Worker, ()) if isinstance(worker, Worker))
    counts: Tables = {}
    if lists_workers:
        counts[WorkerCount] = tuple(WorkerCount(fleet, status, workers[status]) for status in WORKER_STATUSES)
    if lists_rollouts:
        none = tuple(RolloutCount(fleet, status, 0) for status in ROLLOUT_STATUSES)
        counts[RolloutCount] = tables.get(RolloutCount) or none
    return counts


def drift_of(reading: StoreReading) -> Counter[str]:
    """Count what a store said that was not understood: left out by the source, or a status that is none."""
    drift = Counter(reading.drift)
    drift["status"] += sum(report.word not in WORKER_STATUSES for report in reading.workers)
    return +drift


def _worker(report: WorkerReport, verdict: WorkerVerdict, stale: bool | None, skew: float | None) -> Worker:
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
        clock_skew_seconds=skew,
    )
