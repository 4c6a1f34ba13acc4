"""What a node or a worker has and holds, as small tables for its page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from exporter.exposition.labels import guard
from exporter.overview.text import share
from exporter.records import NodeGpu, NodeModel, NodeSlots, NodeStage, PeerLink, Record, Worker, WorkerGpu
from exporter.records.table import Tables

MOST = 50
"""Rows of such a table, at most."""

UNITS = ((10**15, "PB"), (10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
"""Decimal, as dashboards have them."""


class Holding(NamedTuple):
    """A table: what it is of, its headings and rows; `of` counts those that are left out too."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    of: int


class Holdings:
    """Tells what is published of one node or worker; `shown` gives tables by slice. Safe for threads."""

    def __init__(self, shown: Callable[[], Mapping[str, Tables]]) -> None:
        self._shown = shown

    def __call__(self, kind: str, fleet: str, name: str) -> list[Holding]:
        """The tables that have rows of a node or worker, by its id; `kind` is `nodes` or `workers`."""
        tables = tuple(self._shown().values())
        found = _of_node(tables, fleet, name) if kind == "nodes" else _of_worker(tables, fleet, name)
        listed = ((title, headings, tuple(rows)) for title, headings, rows in found)
        return [Holding(title, headings, rows[:MOST], len(rows)) for title, headings, rows in listed if rows]


Found = Iterator[tuple[str, tuple[str, ...], Iterable[tuple[str, ...]]]]


def _of_node(tables: Sequence[Tables], fleet: str, node: str) -> Found:
    def own(record: type[Record]) -> list[Any]:
        return [each for each in _all(tables, record) if each.node == node and each.fleet == fleet]

    relations: dict[str, list[str]] = {}
    for each in own(NodeModel):
        relations.setdefault(each.model, []).append(each.relation)
    yield "Models", ("model", "relation"), ((guard(model), ", ".join(sorted(of))) for model, of in relations.items())
    gpus = ((guard(each.gpu), guard(each.name or ""), _size(each.memory_bytes)) for each in own(NodeGpu))
    yield "GPUs", ("gpu", "name", "memory"), gpus
    yield (
        "Slots",
        ("model", "slots", "busy"),
        ((guard(each.model), str(each.slots), str(each.busy)) for each in own(NodeSlots)),
    )
    yield "Stages", ("model", "layers"), ((guard(each.model), guard(each.layers)) for each in own(NodeStage))
    peers = ((guard(each.peer), each.latency, _milliseconds(each.rtt_seconds)) for each in own(PeerLink))
    yield "Peers", ("peer", "latency", "round trip"), peers


def _of_worker(tables: Sequence[Tables], fleet: str, worker: str) -> Found:
    def own(record: type[Record]) -> list[Any]:
        return [each for each in _all(tables, record) if each.worker == worker and each.fleet == fleet]

    yield "Machine", ("part", "used", "of"), (row for each in own(Worker) for row in _machine(each))
    gpus = (
        (
            guard(each.gpu),
            share(each.utilization_ratio),
            _size(each.memory_used_bytes),
            _size(each.memory_total_bytes),
            "" if each.temperature_celsius is None else f"{each.temperature_celsius:.0f} °C",
        )
        for each in own(WorkerGpu)
    )
    yield "GPUs", ("gpu", "utilization", "memory used", "of", "temperature"), gpus


def _machine(said: Worker) -> Iterator[tuple[str, ...]]:
    rows = (
        ("CPU", share(said.cpu_usage_ratio), ""),
        ("memory", _size(said.memory_used_bytes), _size(said.memory_total_bytes)),
        ("disk", _size(said.disk_used_bytes), _size(said.disk_total_bytes)),
        ("network sent", _size(said.network_sent_bytes), ""),
        ("network received", _size(said.network_received_bytes), ""),
    )
    return (row for row in rows if any(row[1:]))


def _all(tables: Iterable[Tables], record: type[Record]) -> Iterator[Any]:
    return (each for table in tables for each in table.get(record, ()))


def _size(number: float | None) -> str:
    if number is None:
        return ""
    unit, name = next((each for each in UNITS if number >= each[0]), (1, "B"))
    return f"{number / unit:.{int(unit > 1 and number < 100 * unit)}f} {name}"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.1f} ms"
