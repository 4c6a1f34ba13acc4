"""What a cell of a page's table says: text, what it looks like, where it leads, and what it says more exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from exporter.explain.terminal import moment, span
from exporter.overview import NodeRow, SourceRow, WakeableRow, WorkerRow, text
from exporter.state.consistency import MEANINGS
from exporter.state.words import REASONS as NODE_RULES
from exporter.state.worker_words import REASONS as WORKER_RULES

NOTHING = "–"
"""What is shown where nothing is said."""

SHOWN = 3
"""Models that a cell names; the others are counted."""


class Cell(NamedTuple):
    """`badge` is the state that it is coloured by, `href` where it leads, `title` the same more exactly."""

    text: str
    badge: str = ""
    href: str = ""
    title: str = ""
    number: bool = False
    below: str = ""


class Column(NamedTuple):
    """A column: its heading, the field that it is sorted by, and how a row's cell is made at a time.

    One that is not shown `always` is there where a row says something.
    """

    title: str
    field: str
    cell: Callable[[Any, float], Cell]
    always: bool = True


def ago(at: float | None, now: float) -> Cell:
    """How long ago something was."""
    if at is None:
        return Cell(NOTHING)
    return Cell(span(max(0.0, now - at)), title=moment(at) or "", number=True)


def lasting(seconds: float | None) -> Cell:
    """A length of time; milliseconds where it is short."""
    return Cell(NOTHING) if seconds is None else Cell(text.lasting(seconds), number=True)


def size(number: float | None) -> Cell:
    """Bytes, in units of 10^9 as mesh-llm counts memory."""
    return Cell(NOTHING) if number is None else Cell(text.size(number), number=True)


def share(ratio: float | None, detail: str = "") -> Cell:
    """A ratio as per cent."""
    return Cell(NOTHING) if ratio is None else Cell(text.share(ratio), number=True, title=detail)


def few(names: tuple[str, ...]) -> Cell:
    """Some names, and how many more there are."""
    if not names:
        return Cell(NOTHING)
    more = f" +{len(names) - SHOWN}" if len(names) > SHOWN else ""
    return Cell(", ".join(names[:SHOWN]) + more, title="\n".join(names) if more else "")


def _said(text: str | None, title: str = "") -> Cell:
    return Cell(text or NOTHING, title=title)


def _linked(kind: str, fleet: str, name: str, shown: str, below: str = "") -> Cell:
    return Cell(shown, href=f"/{kind}/{quote(name, safe='')}?fleet={quote(fleet, safe='')}", below=below)


def _node(row: NodeRow, _: float) -> Cell:
    name = row.hostname or row.node
    return _linked("nodes", row.fleet, row.node, name, row.node[:12] if row.hostname else "")


def _state(row: NodeRow, _: float) -> Cell:
    return Cell(row.state, badge=row.state, title="" if row.reason else "it left a moment ago")


def _rule(row: NodeRow, _: float) -> Cell:
    reported = f"reported {row.reported}" if row.reported else ""
    return Cell(row.reason or NOTHING, title=NODE_RULES.get(row.reason or "", ""), below=reported)


def _standing(row: NodeRow, _: float) -> Cell:
    badge = row.standing if row.standing in ("unconfirmed", "ghost") else ""
    disagree = f", {row.disagree} disagree" if row.disagree else ""
    return Cell(
        (row.standing or NOTHING) + disagree, badge=badge or "", title=f"basis: {row.basis}" if row.basis else ""
    )


def _status(row: WorkerRow, _: float) -> Cell:
    reported = f"its store says {row.reported}" if row.reported else ""
    return Cell(row.status, badge=row.status, title=reported)


def _reason(row: WorkerRow, _: float) -> Cell:
    meanings = [WORKER_RULES.get(row.reason or ""), *map(MEANINGS.get, row.inconsistencies)]
    return Cell(row.reason or NOTHING, title="\n".join(filter(None, meanings)), below="\n".join(row.inconsistencies))


def _holds(row: WorkerRow, _: float) -> Cell:
    return Cell(row.rollout or NOTHING, title=f"attempt {row.attempt}" if row.attempt else "")


def _used(used: float | None, total: float | None) -> Cell:
    """Memory in use, as a share of what there is where that is said."""
    if used is None or not total:
        return size(used)
    return share(used / total, f"{size(used).text} of {size(total).text}")


def _wakeable_state(row: WakeableRow, _: float) -> Cell:
    if row.rank == 0:
        return Cell(f"{row.state}, overdue", badge="overdue", title="later than promised")
    return Cell(row.state or "not understood", badge=row.state)


def _read(row: SourceRow, _: float) -> Cell:
    return Cell(row.result or "not read yet", badge="up" if row.up else "down" if row.result else "")


FLEET = Column("Fleet", "fleet", lambda row, _: Cell(row.fleet))
SINCE = Column("For", "since", lambda row, now: ago(row.since, now))
MODELS = Column("Models", "models", lambda row, _: few(row.models))
VRAM = Column("VRAM", "vram_bytes", lambda row, _: size(row.vram_bytes))

COLUMNS: dict[str, tuple[Column, ...]] = {
    "nodes": (
        Column("Node", "hostname", _node),
        Column("State", "state", _state),
        SINCE,
        Column("Reason", "reason", _rule),
        FLEET,
        Column("Standing", "standing", _standing),
        Column("Role", "role", lambda row, _: _said(row.role)),
        MODELS,
        VRAM,
        Column("Version", "version", lambda row, _: _said(row.version)),
    ),
    "workers": (
        Column("Worker", "worker", lambda row, _: _linked("workers", row.fleet, row.worker, row.worker)),
        Column("Status", "status", _status),
        SINCE,
        Column("Reason", "reason", _reason),
        FLEET,
        Column("Rollout", "rollout", _holds),
        Column("Heartbeat", "last_heartbeat", lambda row, now: ago(row.last_heartbeat, now)),
        Column("CPU", "cpu_usage_ratio", lambda row, _: share(row.cpu_usage_ratio)),
        Column("Memory", "memory_used_bytes", lambda row, _: _used(row.memory_used_bytes, row.memory_total_bytes)),
        Column("GPU", "gpu_utilization_ratio", lambda row, _: share(row.gpu_utilization_ratio), always=False),
        Column(
            "GPU memory",
            "gpu_memory_used_bytes",
            lambda row, _: _used(row.gpu_memory_used_bytes, row.gpu_memory_total_bytes),
            always=False,
        ),
        Column("Host", "host", lambda row, _: _said(row.host)),
    ),
    "wakeable": (
        Column("Logical id", "logical_id", lambda row, _: Cell(row.logical_id)),
        Column("State", "state", _wakeable_state),
        SINCE,
        FLEET,
        Column("Provider", "provider", lambda row, _: _said(row.provider)),
        MODELS,
        VRAM,
        Column("Promised", "wake_eta_seconds", lambda row, _: lasting(row.wake_eta_seconds)),
        Column("Wake took", "wake_duration_seconds", lambda row, _: lasting(row.wake_duration_seconds)),
        Column("Becomes", "becomes", lambda row, _: _said(row.becomes)),
    ),
    "sources": (
        Column("Source", "source", lambda row, _: Cell(row.source)),
        Column("Result", "result", _read),
        Column("Last success", "last_success", lambda row, now: ago(row.last_success, now)),
        FLEET,
        Column("Kind", "kind", lambda row, _: Cell(row.kind)),
        Column("Read took", "read_duration_seconds", lambda row, _: lasting(row.read_duration_seconds)),
        Column("Not understood", "drift", lambda row, _: few(row.drift)),
    ),
}
"""The columns of each table of an overview."""
