"""What an Agent Lightning 0.3.0 store sends, decoded: workers, rollouts with their newest attempt, statistics.

Shapes: `types/core.py`; heartbeat snapshots: `utils/system_snapshot.py`, where `*_gb` are GiB, `*_mb` MiB and `*_pct`
0 to 100.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec

from exporter.records import Attempt, WorkerGpu, WorkerReport
from exporter.sources.decode import UNDECODABLE, Count, envelope, items, placed

MIB = 2**20
GIB = 2**30


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    total: Count


class _Gpu(msgspec.Struct):
    util_pct: float | None = None
    mem_used_mb: float | None = None
    mem_total_mb: float | None = None
    temp_c: float | None = None


class _Figures(msgspec.Struct):
    host: str | None = None
    os: str | None = None
    cpu_usage_pct: float | None = None
    mem_used_gb: float | None = None
    mem_total_gb: float | None = None
    disk_used_gb: float | None = None
    disk_total_gb: float | None = None
    bytes_sent_mb: float | None = None
    bytes_recv_mb: float | None = None


class _Stats(_Figures):
    gpus: list[msgspec.Raw] | None = None


class _WholeStats(_Figures):
    gpus: list[_Gpu] | None = None


class _Told(msgspec.Struct, kw_only=True):
    worker_id: str
    status: str
    last_heartbeat_time: float | None = None
    last_dequeue_time: float | None = None
    last_busy_time: float | None = None
    last_idle_time: float | None = None
    current_rollout_id: str | None = None
    current_attempt_id: str | None = None


class _Worker(_Told, kw_only=True):
    heartbeat_stats: msgspec.Raw = msgspec.Raw(b"null")


class _WholeWorker(_Told, kw_only=True):
    heartbeat_stats: _WholeStats | None = None


class _WholePage(msgspec.Struct):
    items: list[_WholeWorker]
    total: Count


class _Attempt(msgspec.Struct):
    attempt_id: str
    status: str
    rollout_id: str | None = None
    worker_id: str | None = None
    last_heartbeat_time: float | None = None


class _Rollout(msgspec.Struct):
    rollout_id: str
    status: str
    attempt: _Attempt | None = None


class _Statistics(msgspec.Struct):
    uptime: float | None = None


_PAGE = msgspec.json.Decoder(_Page)
_WHOLE_PAGE = msgspec.json.Decoder(_WholePage)
_WORKER = msgspec.json.Decoder(_Worker)
_STATS = msgspec.json.Decoder(_Stats | None)
_GPU = msgspec.json.Decoder(_Gpu)
_ROLLOUT = msgspec.json.Decoder(_Rollout)
_ATTEMPT = msgspec.json.Decoder(_Attempt)
_STATISTICS = msgspec.json.Decoder(_Statistics)


class WorkersPage(NamedTuple):
    """A page of workers with their GPUs; `size` counts the items, malformed ones too, `total` those of all pages."""

    workers: list[WorkerReport]
    gpus: list[WorkerGpu]
    size: int
    total: int


class RolloutsPage(NamedTuple):
    """A page of rollouts: their statuses by id, and their newest attempts; `size` and `total` as in `WorkersPage`."""

    statuses: dict[str, str]
    attempts: list[Attempt]
    size: int
    total: int


def parse_workers(body: bytes, fleet: str, read_at: float, drift: Counter[str]) -> WorkersPage:
    """Decode a page of `/workers`; raises SourceError("malformed").

    A malformed worker is left out, a malformed heartbeat snapshot or GPU is "not said"; each is counted as drift.
    """
    try:
        page = _WHOLE_PAGE.decode(body)
    except UNDECODABLE:
        return _one_by_one(body, fleet, read_at, drift)
    workers, gpus = [], []
    for said in page.items:
        stats = said.heartbeat_stats or _WholeStats()
        workers.append(_report(said, stats, fleet, read_at))
        if stats.gpus:
            gpus += [_worker_gpu(fleet, said.worker_id, place, gpu) for place, gpu in enumerate(stats.gpus)]
    return WorkersPage(workers, gpus, len(page.items), page.total)


def _one_by_one(body: bytes, fleet: str, read_at: float, drift: Counter[str]) -> WorkersPage:
    """Decode a page of which something is malformed, so that only this is left out."""
    page = envelope(body, _PAGE, "a page of workers")
    workers, gpus = [], []
    for said in items(page.items, _WORKER, "workers", drift):
        found = items([said.heartbeat_stats], _STATS, "heartbeat_stats", drift)
        stats = (found[0] if found else None) or _Stats()
        workers.append(_report(said, stats, fleet, read_at))
        gpus += [
            _worker_gpu(fleet, said.worker_id, place, gpu)
            for place, gpu in placed(stats.gpus or (), _GPU, "gpus", drift)
        ]
    return WorkersPage(workers, gpus, len(page.items), page.total)


def parse_rollouts(body: bytes, fleet: str, drift: Counter[str]) -> RolloutsPage:
    """Decode a page of `/rollouts`; raises SourceError("malformed"). A malformed rollout is left out as drift."""
    page = envelope(body, _PAGE, "a page of rollouts")
    rollouts = items(page.items, _ROLLOUT, "rollouts", drift)
    attempts = [_attempt(fleet, said.rollout_id, said.attempt) for said in rollouts if said.attempt is not None]
    return RolloutsPage({said.rollout_id: said.status for said in rollouts}, attempts, len(page.items), page.total)


def parse_attempts(body: bytes, fleet: str, rollout: str, drift: Counter[str]) -> list[Attempt]:
    """Decode `/rollouts/{id}/attempts`; raises SourceError("malformed"). A malformed attempt is left out as drift."""
    page = envelope(body, _PAGE, "a page of attempts")
    return [_attempt(fleet, rollout, said) for said in items(page.items, _ATTEMPT, "attempts", drift)]


def parse_uptime(body: bytes) -> float | None:
    """Decode `/statistics`: seconds since the store started; raises SourceError("malformed")."""
    return envelope(body, _STATISTICS, "statistics").uptime


def _report(said: _Told, stats: _Figures, fleet: str, read_at: float) -> WorkerReport:
    return WorkerReport(
        fleet=fleet,
        worker=said.worker_id,
        word=said.status,
        read_at=read_at,
        host=stats.host,
        os=stats.os,
        last_heartbeat=said.last_heartbeat_time,
        last_dequeue=said.last_dequeue_time,
        last_busy=said.last_busy_time,
        last_idle=said.last_idle_time,
        rollout=said.current_rollout_id,
        attempt=said.current_attempt_id,
        cpu_usage_ratio=_ratio(stats.cpu_usage_pct),
        memory_used_bytes=_times(stats.mem_used_gb, GIB),
        memory_total_bytes=_times(stats.mem_total_gb, GIB),
        disk_used_bytes=_times(stats.disk_used_gb, GIB),
        disk_total_bytes=_times(stats.disk_total_gb, GIB),
        network_sent_bytes=_times(stats.bytes_sent_mb, MIB),
        network_received_bytes=_times(stats.bytes_recv_mb, MIB),
    )


def _worker_gpu(fleet: str, worker: str, position: int, gpu: _Gpu) -> WorkerGpu:
    return WorkerGpu(
        fleet,
        worker,
        str(position),
        _ratio(gpu.util_pct),
        _times(gpu.mem_used_mb, MIB),
        _times(gpu.mem_total_mb, MIB),
        gpu.temp_c,
    )


def _attempt(fleet: str, rollout: str, said: _Attempt) -> Attempt:
    return Attempt(fleet, rollout, said.attempt_id, said.status, said.worker_id, said.last_heartbeat_time)


def _times(figure: float | None, unit: float) -> float | None:
    return None if figure is None else figure * unit


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
