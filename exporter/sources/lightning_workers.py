"""What an Agent Lightning 0.3.0 store says of its workers, decoded; what it says as before is not decoded again.

Shapes: `types/core.py`; heartbeat snapshots: `utils/system_snapshot.py`, where `*_gb` are GiB, `*_mb` MiB and `*_pct`
0 to 100.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from exporter.records import WORKER_STATUSES, WorkerGpu, WorkerReport
from exporter.sources.decode import UNDECODABLE, Count, check_names, check_page, envelope, items, placed
from exporter.sources.instants import Instants

MOST_GPUS = 64
"""GPUs of one machine at most: a snapshot may list thousands, and each costs memory at every read."""

MIB = 2**20
GIB = 2**30

_WORDS = {word: word for word in WORKER_STATUSES}


class _Gpu(msgspec.Struct, gc=False):
    util_pct: float | None = None
    mem_used_mb: float | None = None
    mem_total_mb: float | None = None
    temp_c: float | None = None


class _Figures(msgspec.Struct, gc=False):
    timestamp: str | float | None = None
    host: str | None = None
    os: str | None = None
    cpu_usage_pct: float | None = None
    mem_used_gb: float | None = None
    mem_total_gb: float | None = None
    disk_used_gb: float | None = None
    disk_total_gb: float | None = None
    bytes_sent_mb: float | None = None
    bytes_recv_mb: float | None = None


class _Stats(_Figures, gc=False):
    gpus: list[msgspec.Raw] | None = None


class _WholeStats(_Figures, gc=False):
    gpus: list[_Gpu] | None = None


class Told(msgspec.Struct, kw_only=True, gc=False):
    """What is said of a worker beside the snapshot that its newest heartbeat brought."""

    worker_id: str
    status: str
    last_heartbeat_time: float | None = None
    last_dequeue_time: float | None = None
    last_busy_time: float | None = None
    last_idle_time: float | None = None
    current_rollout_id: str | None = None
    current_attempt_id: str | None = None


class _Worker(Told, kw_only=True, gc=False):
    heartbeat_stats: msgspec.Raw = msgspec.Raw(b"null")


class _Page(msgspec.Struct, gc=False):
    items: list[_Worker]
    total: Count


class _RawPage(msgspec.Struct, gc=False):
    items: list[msgspec.Raw]
    total: Count


_PAGE = msgspec.json.Decoder(_Page)
_RAW_PAGE = msgspec.json.Decoder(_RawPage)
_WORKER = msgspec.json.Decoder(_Worker)
_STATS = msgspec.json.Decoder(_Stats | None)
_WHOLE_STATS = msgspec.json.Decoder(_WholeStats | None)
_GPU = msgspec.json.Decoder(_Gpu)
_NO_STATS = _WholeStats()


class Known(msgspec.Struct, frozen=True, gc=False):
    """A worker with its GPUs, and a hash of the snapshot they were decoded from.

    `mark` is None where something of the snapshot was left out: that is to be counted at every read.
    """

    mark: int | None
    report: WorkerReport
    gpus: tuple[WorkerGpu, ...] = ()


class WorkersPage(NamedTuple):
    """A page of workers; `size` counts the items, malformed ones too, `total` those of all pages."""

    known: list[Known]
    size: int
    total: int

    @property
    def workers(self) -> list[WorkerReport]:
        """What is said of each."""
        return [each.report for each in self.known]

    @property
    def gpus(self) -> list[WorkerGpu]:
        """The GPUs of all."""
        return [gpu for each in self.known for gpu in each.gpus]


def parse_workers(
    body: bytes,
    fleet: str,
    drift: Counter[str],
    before: Mapping[str, Known] | None = None,
    most: int | None = None,
) -> WorkersPage:
    """Decode a page of `/workers`; raises SourceError, as `envelope` does, and "too_large" for more than `most`.

    A malformed worker is left out, a malformed heartbeat snapshot or GPU is "not said"; each is counted as drift. What
    is said of a worker as it was `before`, by id, gives the same objects again.
    """
    before = before or {}
    instants = Instants(drift)
    check_names(body, b'"worker_id"', most, "workers")
    try:
        page = _PAGE.decode(body)
    except UNDECODABLE:
        # Something is malformed: each is decoded for itself, so that only this is left out.
        raw = envelope(body, _RAW_PAGE, "a page of workers", drift)
        check_page(len(raw.items), most, "workers")
        said = items(raw.items, _WORKER, "workers", drift)
        return WorkersPage([_known(each, before, fleet, instants) for each in said], len(raw.items), raw.total)
    check_page(len(page.items), most, "workers")
    return WorkersPage([_known(each, before, fleet, instants) for each in page.items], len(page.items), page.total)


def _known(said: _Worker, before: Mapping[str, Known], fleet: str, instants: Instants) -> Known:
    snapshot = bytes(said.heartbeat_stats)
    mark = hash(snapshot)
    was = before.get(said.worker_id)
    if was is not None:
        said.worker_id = was.report.worker
        if was.mark == mark:
            return was if _says(said, was.report) else Known(mark, _renewed(said, was.report), was.gpus)
    counted = instants.odd
    report, gpus = parse_worker(said, snapshot, fleet, instants)
    return Known(mark if counted == instants.odd else None, report, tuple(gpus))


def _says(said: Told, report: WorkerReport) -> bool:
    """Tell whether the same is said of a worker whose snapshot is that of before."""
    return (
        said.last_heartbeat_time == report.last_heartbeat
        and said.last_dequeue_time == report.last_dequeue
        and said.last_busy_time == report.last_busy
        and said.last_idle_time == report.last_idle
        and said.status == report.word
        and said.current_rollout_id == report.rollout
        and said.current_attempt_id == report.attempt
    )


def parse_worker(
    said: Told, snapshot: bytes, fleet: str, instants: Instants
) -> tuple[WorkerReport, Sequence[WorkerGpu]]:
    """A worker whose snapshot is JSON text still, and its GPUs; what is malformed is left out and counted as drift."""
    try:
        stats = _WHOLE_STATS.decode(snapshot) or _NO_STATS
    except UNDECODABLE:
        return _piece_by_piece(said, snapshot, fleet, instants)
    report = _report(said, stats, fleet, instants)
    return report, _worker_gpus(fleet, report.worker, enumerate(stats.gpus), instants) if stats.gpus else ()


def _piece_by_piece(
    said: Told, snapshot: bytes, fleet: str, instants: Instants
) -> tuple[WorkerReport, Sequence[WorkerGpu]]:
    instants.odd += 1
    found = items([msgspec.Raw(snapshot)], _STATS, "heartbeat_stats", instants.drift)
    stats = (found[0] if found else None) or _Stats()
    gpus = placed(stats.gpus or (), _GPU, "gpus", instants.drift)
    return _report(said, stats, fleet, instants), _worker_gpus(fleet, said.worker_id, gpus, instants)


def _report(said: Told, stats: _Figures, fleet: str, instants: Instants) -> WorkerReport:
    """By position, in the order of the fields: by name it takes five times as long."""
    names = instants.names
    snapshot_at, snapshot_zoned = instants.of(stats.timestamp)
    return WorkerReport(
        fleet,
        said.worker_id,
        _WORDS.get(said.status, said.status),
        said.last_heartbeat_time,
        said.last_dequeue_time,
        said.last_busy_time,
        said.last_idle_time,
        said.current_rollout_id,
        said.current_attempt_id,
        names.setdefault(stats.host, stats.host),
        names.setdefault(stats.os, stats.os),
        None if stats.cpu_usage_pct is None else stats.cpu_usage_pct / 100,
        None if stats.mem_used_gb is None else stats.mem_used_gb * GIB,
        None if stats.mem_total_gb is None else stats.mem_total_gb * GIB,
        None if stats.disk_used_gb is None else stats.disk_used_gb * GIB,
        None if stats.disk_total_gb is None else stats.disk_total_gb * GIB,
        None if stats.bytes_sent_mb is None else stats.bytes_sent_mb * MIB,
        None if stats.bytes_recv_mb is None else stats.bytes_recv_mb * MIB,
        snapshot_at,
        snapshot_zoned,
    )


def _renewed(said: Told, was: WorkerReport) -> WorkerReport:
    """A worker whose snapshot is that of before."""
    return WorkerReport(
        was.fleet,
        was.worker,
        _WORDS.get(said.status, said.status),
        said.last_heartbeat_time,
        said.last_dequeue_time,
        said.last_busy_time,
        said.last_idle_time,
        said.current_rollout_id,
        said.current_attempt_id,
        was.host,
        was.os,
        was.cpu_usage_ratio,
        was.memory_used_bytes,
        was.memory_total_bytes,
        was.disk_used_bytes,
        was.disk_total_bytes,
        was.network_sent_bytes,
        was.network_received_bytes,
        was.snapshot_at,
        was.snapshot_zoned,
    )


def _worker_gpus(fleet: str, worker: str, said: Iterable[tuple[int, _Gpu]], instants: Instants) -> list[WorkerGpu]:
    """The first GPUs of a machine; of each that is beyond what one has, drift is counted."""
    gpus = [_worker_gpu(fleet, worker, place, gpu) for place, gpu in said]
    if len(gpus) > MOST_GPUS:
        instants.drift["gpus"] += len(gpus) - MOST_GPUS
        instants.odd += 1
    return gpus[:MOST_GPUS]


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


def _times(figure: float | None, unit: float) -> float | None:
    return None if figure is None else figure * unit


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
