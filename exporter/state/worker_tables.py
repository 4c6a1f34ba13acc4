"""The tables of a worker fleet: every worker with its effective status, what it holds, and how many are how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from exporter.records import (
    ROLLOUT_STATUSES,
    WORKER_STATUSES,
    Assignment,
    Attempt,
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
from exporter.records.table import Tables, kept, others
from exporter.state.consistency import Consistency, Recent
from exporter.state.judged import Judged
from exporter.state.worker import (
    Outage,
    WorkerVerdict,
    clock_skew,
    is_forgotten,
    lasts_until,
    telemetry_stale,
    worker_status,
)

UNTOLD = dict.fromkeys(
    (
        "cpu_usage_ratio",
        "memory_used_bytes",
        "memory_total_bytes",
        "disk_used_bytes",
        "disk_total_bytes",
        "network_sent_bytes",
        "network_received_bytes",
    )
)
"""What is not told of a worker whose heartbeats stopped."""


def worker_tables(reading: StoreReading, heartbeat_timeout: float, forget_after: float) -> Tables:
    """Judge every worker of a reading, as the first that is read."""
    return judge_workers(reading, heartbeat_timeout, forget_after, Recent())[0]


def judge_workers(
    reading: StoreReading, heartbeat_timeout: float, forget_after: float, recent: Recent
) -> tuple[Tables, Recent]:
    """Judge every worker of a reading, and give what to judge the next by; times are in seconds.

    One that has been silent for longer than `forget_after` is dropped: a 0.3 store never deletes a worker. Of whom
    nothing new is said, and whose time has not come, the judgement stands; a table that is as it was is the same
    object.
    """
    outage, read_at, attempts = Outage.of(reading, heartbeat_timeout), reading.read_at, reading.attempts
    moved = others(recent.senders.reports, reading.workers)
    consistency = Consistency(reading, recent, heartbeat_timeout, outage, moved)
    limits, bare = (heartbeat_timeout, forget_after), consistency.senders.bare
    before = recent.standing.at(read_at, outage)
    places = before.due(reading, moved)
    again = [
        judge(each, attempts.get(each.worker), read_at, limits, outage, measured=not bare or each.worker not in bare)
        for each in [reading.workers[at] for at in places]
    ]
    standing = before.renewed(reading, outage, places, again)
    for at in standing.odd:
        consistency.look(standing.judged[at])
    if not standing.distinct:
        consistency.compare(standing.judged)
    found, now = consistency.judged(standing.workers)
    tables: Tables = {
        Worker: standing.workers,
        WorkerGpu: _measured(reading.gpus, standing.workers),
        Assignment: standing.held,
        Inconsistency: found,
        Store: (reading.store,),
        RolloutCount: reading.rollouts,
        RolloutsFinished: reading.finished,
    }
    if reading.lists_workers:
        tables[WorkerCount] = _counted(reading.store.fleet, standing.statuses)
    tables = {record: kept(recent.tables.get(record), rows) for record, rows in tables.items()}
    return tables, now._replace(standing=standing, tables=tables)


def judge(
    report: WorkerReport,
    attempt: Attempt | None,
    read_at: float,
    limits: tuple[float, float],
    outage: Outage | None,
    *,
    measured: bool = True,
) -> Judged:
    """Judge one worker; `limits` are the heartbeat timeout, and that after which it is forgotten.

    `measured` tells whether its newest heartbeat brought a snapshot.
    """
    timeout, forget_after = limits
    until = lasts_until(report, attempt, read_at, limits, outage)
    verdict = worker_status(report, attempt, read_at, timeout, outage)
    if verdict.reason == "silent" and is_forgotten(report, attempt, read_at, forget_after):
        return Judged(report, attempt, until, None)
    stale = telemetry_stale(report, read_at, timeout, outage)
    worker = _worker(report, verdict, stale, clock_skew(report) if measured else None)
    if report.rollout is None or report.attempt is None:
        return Judged(report, attempt, until, worker, None, worker.status == "idle")
    held = Assignment(report.fleet, report.worker, report.rollout, report.attempt, worker.status)
    plain = worker.status == "idle" or (worker.status == "busy" and attempt is None)
    return Judged(report, attempt, until, worker, held, plain)


def _measured(gpus: tuple[WorkerGpu, ...], workers: Sequence[Worker]) -> tuple[WorkerGpu, ...]:
    """The GPUs of the workers whose telemetry is fresh."""
    if not gpus:
        return ()
    fresh = {worker.worker for worker in workers if worker.telemetry_stale == 0}
    return tuple([gpu for gpu in gpus if gpu.worker in fresh])


def count_workers(fleet: str, tables: Tables, *, lists_workers: bool = True, lists_rollouts: bool = True) -> Tables:
    """Make every row of a fleet's counts exist, 0 where there is nothing.

    A fleet whose store has no workers at all has no rows of them: that it has none that is idle would not be true. Nor
    has that of a registry rows of rollouts, which it does not know.
    """
    counts: Tables = {}
    if lists_workers:
        counts[WorkerCount] = tables.get(WorkerCount) or _counted(fleet, {})
    if lists_rollouts:
        counts[RolloutCount] = tables.get(RolloutCount) or tuple(
            RolloutCount(fleet, word, 0) for word in ROLLOUT_STATUSES
        )
    return counts


def _counted(fleet: str, statuses: Mapping[str, int]) -> tuple[WorkerCount, ...]:
    return tuple(WorkerCount(fleet, status, statuses.get(status, 0)) for status in WORKER_STATUSES)


def drift_of(reading: StoreReading) -> Counter[str]:
    """Count what a store said that was not understood: left out by the source, or a status that is none."""
    drift = Counter(reading.drift)
    drift["status"] += sum(report.word not in WORKER_STATUSES for report in reading.workers)
    return +drift


def _worker(report: WorkerReport, verdict: WorkerVerdict, stale: bool | None, skew: float | None) -> Worker:
    """By position, in the order of the fields: by name it takes five times as long."""
    worker = Worker(
        report.fleet,
        report.worker,
        verdict.status,
        verdict.reason if verdict.status == "unknown" else None,
        verdict.reported,
        report.host,
        report.os,
        None if stale is None else int(stale),
        report.last_heartbeat,
        report.last_dequeue,
        report.last_busy,
        report.last_idle,
        report.cpu_usage_ratio,
        report.memory_used_bytes,
        report.memory_total_bytes,
        report.disk_used_bytes,
        report.disk_total_bytes,
        report.network_sent_bytes,
        report.network_received_bytes,
        skew,
    )
    return worker if stale is False else msgspec.structs.replace(worker, **UNTOLD)
