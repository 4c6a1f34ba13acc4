"""Makes the rows of an overview from the tables that are published."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from exporter import __version__
from exporter.exposition.labels import guard
from exporter.health import SourceHealth
from exporter.overview.rows import GONE, FleetRow, NodeRow, Overview, SourceRow, WakeableRow, WorkerRow
from exporter.records import (
    Assignment,
    Inconsistency,
    Node,
    NodeCount,
    NodeMemory,
    NodeModel,
    NodeViews,
    PeerLink,
    Record,
    SourceDrift,
    SourceReading,
    WakeableBecomes,
    WakeableCount,
    WakeableMemory,
    WakeableModel,
    WakeableNode,
    Worker,
    WorkerCount,
    WorkerGpu,
    WorkerMemory,
)
from exporter.records.table import Tables

T = TypeVar("T", bound=Record)


class Slice(NamedTuple):
    """The rows of one slice of what is published."""

    fleets: tuple[FleetRow, ...]
    nodes: tuple[NodeRow, ...]
    workers: tuple[WorkerRow, ...]
    wakeable: tuple[WakeableRow, ...]


class Overviews:
    """Gives overviews of the tables that `shown` gives by slice; safe for threads. `wall` gives Unix time.

    The rows of a slice whose tables are the same objects as before are those of before.
    """

    def __init__(
        self,
        shown: Callable[[], Mapping[str, Tables]],
        health: Callable[[], Sequence[SourceHealth]],
        wall: Callable[[], float],
    ) -> None:
        self._shown = shown
        self._health = health
        self._wall = wall
        self._before: dict[str, tuple[Tables, Slice]] = {}

    def __call__(self) -> Overview:
        """Everything, unfiltered, in no particular order."""
        before, now = self._before, {}
        for name, tables in self._shown().items():
            known = before.get(name)
            now[name] = known if known is not None and known[0] is tables else (tables, _slice(tables))
        self._before = now
        slices = [rows for _, rows in now.values()]
        sources = tuple(map(_source, filter(_is_told, self._health())))
        return Overview(
            at=self._wall(),
            version=__version__,
            fleets=_fleets([row for each in slices for row in each.fleets], sources),
            nodes=tuple(row for each in slices for row in each.nodes),
            workers=tuple(row for each in slices for row in each.workers),
            wakeable=tuple(row for each in slices for row in each.wakeable),
            sources=sources,
        )


def _slice(tables: Tables) -> Slice:
    return Slice(tuple(_counted(tables)), tuple(_nodes(tables)), tuple(_workers(tables)), tuple(_wakeable(tables)))


def _table(tables: Tables, record: type[T]) -> Sequence[T]:
    return tables.get(record, ())  # type: ignore[return-value]


def _by(records: Iterable[T], *fields: str) -> dict[Any, list[T]]:
    """Records by the fields that name what they are about."""
    found: dict[Any, list[T]] = defaultdict(list)
    for each in records:
        found[tuple(getattr(each, field) for field in fields)].append(each)
    return found


def _nodes(tables: Tables) -> Iterable[NodeRow]:
    memory = {(each.fleet, each.node): each for each in _table(tables, NodeMemory)}
    hosted = [each for each in _table(tables, NodeModel) if each.relation == "hosted"]
    models, peers = _by(hosted, "fleet", "node"), _by(_table(tables, PeerLink), "fleet", "node")
    real = {(each.fleet, each.node): each.real for each in _table(tables, NodeViews)}
    there = set()
    for node in _table(tables, Node):
        key = (node.fleet, node.node)
        there.add(key)
        remembered = memory.get(key)
        yield NodeRow(
            fleet=guard(node.fleet),
            node=guard(node.node),
            hostname=_guarded(node.hostname),
            state=node.state,
            reason=node.reason,
            reported=_guarded(node.reported),
            basis=node.basis,
            standing=node.standing,
            disagree=real.get(key, 0),
            role=_guarded(node.role),
            version=_guarded(node.version),
            models=tuple(guard(each.model) for each in models.get(key, ())),
            vram_bytes=node.vram_bytes,
            since=None if remembered is None else remembered.since,
            ordinal=None if remembered is None else remembered.ordinal,
            peers=tuple(guard(each.peer) for each in peers.get(key, ())),
        )
    for key, left in memory.items():
        if left.present == 0 and key not in there:
            yield NodeRow(fleet=guard(left.fleet), node=guard(left.node), state=GONE)


def _workers(tables: Tables) -> Iterable[WorkerRow]:
    memory = {(each.fleet, each.worker): each for each in _table(tables, WorkerMemory)}
    held = {(each.fleet, each.worker): each for each in _table(tables, Assignment)}
    odd = _by(_table(tables, Inconsistency), "fleet", "worker")
    gpus = _by(_table(tables, WorkerGpu), "fleet", "worker")
    there = set()
    for worker in _table(tables, Worker):
        key = (worker.fleet, worker.worker)
        there.add(key)
        remembered, holds = memory.get(key), held.get(key)
        yield WorkerRow(
            fleet=guard(worker.fleet),
            worker=guard(worker.worker),
            status=worker.status,
            reason=worker.reason,
            reported=_guarded(worker.reported),
            host=_guarded(worker.host),
            rollout=None if holds is None else guard(holds.rollout),
            attempt=None if holds is None else guard(holds.attempt),
            last_heartbeat=worker.last_heartbeat,
            cpu_usage_ratio=worker.cpu_usage_ratio,
            memory_used_bytes=worker.memory_used_bytes,
            memory_total_bytes=worker.memory_total_bytes,
            **_gpus(gpus.get(key, ())),
            inconsistencies=tuple(each.kind for each in odd.get(key, ())),
            since=None if remembered is None else remembered.since,
        )
    for key, left in memory.items():
        if left.present == 0 and key not in there:
            yield WorkerRow(fleet=guard(left.fleet), worker=guard(left.worker), status=GONE)


def _gpus(gpus: Sequence[WorkerGpu]) -> dict[str, float]:
    """What a worker's row says of its GPUs, by field: nothing of what none of them says."""
    shares = [each.utilization_ratio for each in gpus if each.utilization_ratio is not None]
    said = {"gpu_utilization_ratio": sum(shares) / len(shares)} if shares else {}
    for field in ("memory_used_bytes", "memory_total_bytes"):
        sizes = [size for each in gpus if (size := getattr(each, field)) is not None]
        said |= {f"gpu_{field}": sum(sizes)} if sizes else {}
    return said


def _wakeable(tables: Tables) -> Iterable[WakeableRow]:
    since = {(each.fleet, each.logical_id): each.since for each in _table(tables, WakeableMemory)}
    models = _by(_table(tables, WakeableModel), "fleet", "logical_id")
    becomes = {(each.fleet, each.logical_id): each for each in _table(tables, WakeableBecomes)}
    for each in _table(tables, WakeableNode):
        key = (each.fleet, each.logical_id)
        other = becomes.get(key)
        yield WakeableRow(
            fleet=guard(each.fleet),
            logical_id=guard(each.logical_id),
            state=each.state or "",
            provider=_guarded(each.provider),
            inventory=guard(each.inventory),
            models=tuple(guard(model.model) for model in models.get(key, ())),
            vram_bytes=each.vram_bytes,
            wake_eta_seconds=each.wake_eta_seconds,
            wake_duration_seconds=each.wake_duration_seconds,
            becomes=None if other is None else _guarded(other.hostname or other.node),
            since=since.get(key),
        )


def _counted(tables: Tables) -> Iterable[FleetRow]:
    nodes = _by((each for each in _table(tables, NodeCount) if each.standing == "confirmed"), "fleet")
    workers, asleep = _by(_table(tables, WorkerCount), "fleet"), _by(_table(tables, WakeableCount), "fleet")
    for key in {**nodes, **workers, **asleep}:
        yield FleetRow(
            fleet=guard(key[0]),
            nodes={each.state: each.count for each in nodes.get(key, ())},
            workers={each.status: each.count for each in workers.get(key, ())},
            wakeable={each.state: each.count for each in asleep.get(key, ())},
        )


def _fleets(counted: Sequence[FleetRow], sources: Sequence[SourceRow]) -> tuple[FleetRow, ...]:
    """A row of every fleet, by name, with how many of its sources there are and how many of them are down."""
    rows = {row.fleet: row for row in counted}
    of = _by(sources, "fleet")  # type: ignore[type-var]
    return tuple(
        msgspec.structs.replace(
            rows.get(fleet) or FleetRow(fleet=fleet),
            sources=len(of.get((fleet,), ())),
            sources_down=sum(not each.up for each in of.get((fleet,), ())),
        )
        for fleet in sorted(rows.keys() | {row.fleet for row in sources})
    )


def _is_told(health: SourceHealth) -> bool:
    """A default source that never answered is not shown."""
    return health.answered or not health.source.pace.optional


def _source(health: SourceHealth) -> SourceRow:
    source, records = health.source, list(health.records())
    reading = next((each for each in records if isinstance(each, SourceReading)), None)
    return SourceRow(
        fleet=guard(source.fleet),
        source=guard(source.name),
        kind=source.kind,
        up=health.up,
        result=health.result,
        last_success=None if reading is None else reading.last_success,
        read_duration_seconds=None if reading is None else reading.read_duration_seconds,
        drift=tuple(guard(each.field) for each in records if isinstance(each, SourceDrift)),
    )


def _guarded(text: str | None) -> str | None:
    return None if text is None else guard(text)
