"""What an Agent Lightning 0.3.0 store sends, decoded: workers, rollouts with their newest attempt, statistics.

Shapes: `types/core.py`; heartbeat snapshots: `utils/system_snapshot.py`, where `*_gb` are GiB, `*_mb` MiB and `*_pct`
0 to 100.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from exporter.records import Attempt, WorkerGpu, WorkerReport
from exporter.sources.decode import UNDECODABLE, Count, envelope, items, placed

MOST_GPUS = 64
"""GPUs of one machine at most: a snapshot may list thousands, and each costs memory at every read."""

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


class _Stats(_Figures):
    gpus: list[msgspec.Raw] | None = None


class _WholeStats(_Figures):
    gpus: list[_Gpu] | None = None


class Told(msgspec.Struct, kw_only=True):
    """What is said of a worker beside the snapshot that its newest heartbeat brought."""

    worker_id: str
    status: str
    last_heartbeat_time: float | None = None
    last_dequeue_time: float | None = None
    last_busy_time: float | None = None
    last_idle_time: float | None = None
    current_rollout_id: str | None = None
    current_attempt_id: str | None = None


class _Worker(Told, kw_only=True):
    heartbeat_stats: msgspec.Raw = msgspec.Raw(b"null")


class _WholeWorker(Told, kw_only=True):
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
_WHOLE_STATS = msgspec.json.Decoder(_WholeStats | None)
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
    instants = Instants(drift)
    for said in page.items:
        stats = said.heartbeat_stats or _WholeStats()
        workers.append(_report(said, stats, fleet, read_at, instants.of(stats.timestamp)))
        if stats.gpus:
            gpus += _worker_gpus(fleet, said.worker_id, enumerate(stats.gpus), drift)
    return WorkersPage(workers, gpus, len(page.items), page.total)


def _one_by_one(body: bytes, fleet: str, read_at: float, drift: Counter[str]) -> WorkersPage:
    """Decode a page of which something is malformed, so that only this is left out."""
    page = envelope(body, _PAGE, "a page of workers")
    workers, gpus = [], []
    instants = Instants(drift)
    for said in items(page.items, _WORKER, "workers", drift):
        report, its_gpus = _piece_by_piece(said, said.heartbeat_stats, fleet, read_at, instants)
        workers.append(report)
        gpus += its_gpus
    return WorkersPage(workers, gpus, len(page.items), page.total)


def parse_worker(
    said: Told, snapshot: bytes, fleet: str, read_at: float, instants: Instants
) -> tuple[WorkerReport, list[WorkerGpu]]:
    """A worker whose snapshot is JSON text still, and its GPUs; what is malformed is left out and counted as drift."""
    try:
        stats = _WHOLE_STATS.decode(snapshot) or _WholeStats()
    except UNDECODABLE:
        return _piece_by_piece(said, msgspec.Raw(snapshot), fleet, read_at, instants)
    gpus = _worker_gpus(fleet, said.worker_id, enumerate(stats.gpus or ()), instants.drift)
    return _report(said, stats, fleet, read_at, instants.of(stats.timestamp)), gpus


def _piece_by_piece(
    said: Told, snapshot: msgspec.Raw, fleet: str, read_at: float, instants: Instants
) -> tuple[WorkerReport, list[WorkerGpu]]:
    found = items([snapshot], _STATS, "heartbeat_stats", instants.drift)
    stats = (found[0] if found else None) or _Stats()
    decoded = placed(stats.gpus or (), _GPU, "gpus", instants.drift)
    gpus = _worker_gpus(fleet, said.worker_id, decoded, instants.drift)
    return _report(said, stats, fleet, read_at, instants.of(stats.timestamp)), gpus


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


class Instants:
    """When snapshots were taken, in seconds since the epoch, and whether they said so with a zone.

    A time without a zone is taken for UTC, a number for Unix time. Text that is no ISO 8601 time is "not said", and
    drift. Many workers of a page say the same second.
    """

    def __init__(self, drift: Counter[str]) -> None:
        self._known: dict[str, tuple[float | None, bool]] = {}
        self.drift = drift

    def of(self, said: str | float | None) -> tuple[float | None, bool]:
        """Decode a snapshot's time; None where it is not said."""
        if not isinstance(said, str):
            return said, said is not None
        found = self._known.get(said)
        if found is None:
            found = self._known[said] = _instant(said)
        if found[0] is None:
            self.drift["timestamp"] += 1
        return found


def _instant(text: str) -> tuple[float | None, bool]:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None, False
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC).timestamp(), False
    return moment.timestamp(), True


def _report(
    said: Told, stats: _Figures, fleet: str, read_at: float, snapshot: tuple[float | None, bool]
) -> WorkerReport:
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
        cpu_usage_ratio=None if stats.cpu_usage_pct is None else stats.cpu_usage_pct / 100,
        memory_used_bytes=None if stats.mem_used_gb is None else stats.mem_used_gb * GIB,
        memory_total_bytes=None if stats.mem_total_gb is None else stats.mem_total_gb * GIB,
        disk_used_bytes=None if stats.disk_used_gb is None else stats.disk_used_gb * GIB,
        disk_total_bytes=None if stats.disk_total_gb is None else stats.disk_total_gb * GIB,
        network_sent_bytes=None if stats.bytes_sent_mb is None else stats.bytes_sent_mb * MIB,
        network_received_bytes=None if stats.bytes_recv_mb is None else stats.bytes_recv_mb * MIB,
        snapshot_at=snapshot[0],
        snapshot_zoned=snapshot[1],
    )


def _worker_gpus(fleet: str, worker: str, placed: Iterable[tuple[int, _Gpu]], drift: Counter[str]) -> list[WorkerGpu]:
    """The first GPUs of a machine; of each that is beyond what one has, drift is counted."""
    gpus = [_worker_gpu(fleet, worker, place, gpu) for place, gpu in placed]
    if len(gpus) > MOST_GPUS:
        drift["gpus"] += len(gpus) - MOST_GPUS
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


def _attempt(fleet: str, rollout: str, said: _Attempt) -> Attempt:
    return Attempt(fleet, rollout, said.attempt_id, said.status, said.worker_id, said.last_heartbeat_time)


def _times(figure: float | None, unit: float) -> float | None:
    return None if figure is None else figure * unit


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
