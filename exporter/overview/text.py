"""An overview as aligned tables for a terminal, which nothing that an upstream said can steer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from exporter.explain.terminal import PLAIN, Paint, moment, printable, short, span, table
from exporter.overview.rows import TABLES, FleetRow, NodeRow, Overview, SourceRow, WakeableRow

COLOURS = {
    "serving": "32",
    "busy": "32",
    "ok": "32",
    "loading": "33",
    "waking": "33",
    "overdue": "31",
    "unconfirmed": "33",
    "gone": "31",
    "ghost": "31",
    "unknown": "31",
    "down": "31",
}
"""What is coloured, and how (SGR parameters of ECMA-48)."""

TITLES = {"nodes": "Nodes", "workers": "Workers", "wakeable": "Wakeable capacity", "sources": "Sources"}

IDENTITY = 12
"""Signs of a node's id that are shown beside its host name."""

SHOWN = 2
"""Models that a row names; the others are counted."""

Column = tuple[str, Callable[[Any, float], str]]
"""A heading, and what a row says under it at a time."""


def overview_text(said: Overview, only: Collection[str] = tuple(TABLES), coloured: bool = False) -> str:
    """The fleets in figures, and the rows of the tables in `only`; without a newline at the end."""
    paint = Paint(COLOURS) if coloured else PLAIN
    lines = [f"{moment(said.at) or 'now'}, Rollcall {short(said.version)}"]
    if said.fleets:
        rows = [[printable(cell) for cell in _figures(row)] for row in said.fleets]
        lines += ["", *table([["fleet", *TABLES], *rows], PLAIN)]
    else:
        lines += ["", "no source has answered yet"]
    sections = [line for name in TABLES if name in only for line in _section(said, name, paint)]
    lines += sections or ["", "nothing is there, or nothing fits"]
    return "\n".join(lines)


def _section(said: Overview, name: str, paint: Paint) -> Iterator[str]:
    rows = getattr(said, name)
    of = said.of.get(name, len(rows))
    if not rows:
        return
    yield ""
    yield f"{TITLES[name]}: {of}" if of == len(rows) else f"{TITLES[name]}: {len(rows)} of {of} are shown"
    columns = COLUMNS[name]
    cells = [[printable(cell(row, said.at)) for _, cell in columns] for row in rows]
    yield from table([[heading for heading, _ in columns], *cells], paint)


def _figures(row: FleetRow) -> list[str]:
    down = f", {row.sources_down} down" if row.sources_down else ""
    counted = [_counts(row.nodes), _counts(row.workers), _counts(row.wakeable)]
    return [short(row.fleet), *counted, f"{row.sources}{down}" if row.sources else ""]


def _counts(counts: Mapping[str, int]) -> str:
    """The states that somebody is in; `0` where all are counted, and none is there."""
    said = ", ".join(f"{count} {short(state)}" for state, count in counts.items() if count)
    return said or ("0" if counts else "")


def ago(at: float | None, now: float) -> str:
    """How long ago something was; nothing where it is not said."""
    return "" if at is None else span(max(0.0, now - at))


def lasting(seconds: float | None) -> str:
    """A length of time, in milliseconds where it is short; nothing where it is not said."""
    if seconds is None:
        return ""
    return f"{1000 * seconds:.0f} ms" if 0 < seconds < 1 else span(seconds)


def size(number: float | None) -> str:
    """Bytes, in units of 10^9 as mesh-llm counts memory; nothing where it is not said."""
    return "" if number is None else f"{number / 1e9:.{1 if number < 1e11 else 0}f} GB"


def share(ratio: float | None) -> str:
    """A ratio as per cent; nothing where it is not said."""
    return "" if ratio is None else f"{100 * ratio:.0f} %"


def _few(names: tuple[str, ...]) -> str:
    more = f" +{len(names) - SHOWN}" if len(names) > SHOWN else ""
    return ", ".join(map(short, names[:SHOWN])) + more


def _said(field: str) -> Callable[[Any, float], str]:
    """What gives the text of a field."""
    return lambda row, _: short(getattr(row, field) or "")


def _standing(row: NodeRow, _: float) -> str:
    disagree = f"{row.disagree} disagree" if row.disagree else ""
    return ", ".join(filter(None, (disagree, short(row.standing or "") if row.standing != "confirmed" else "")))


def _used(used: float | None, total: float | None) -> str:
    """Memory in use, as a share of what there is where that is said."""
    return share(used / total) if used is not None and total else size(used)


def _wakeable_state(row: WakeableRow, _: float) -> str:
    late = ", overdue" if row.state == "waking" and row.rank == 0 else ""
    return short(row.state) + late if row.state else "not understood"


def _read(row: SourceRow, _: float) -> str:
    return short(row.result) if row.up else f"{short(row.result)}, down" if row.result else "not read yet"


FLEET: Column = ("fleet", _said("fleet"))
FOR: Column = ("for", lambda row, now: ago(row.since, now))
MODELS: Column = ("models", lambda row, _: _few(row.models))
VRAM: Column = ("vram", lambda row, _: size(row.vram_bytes))

COLUMNS: dict[str, tuple[Column, ...]] = {
    "nodes": (
        ("node", lambda row, _: short(row.name)),
        ("id", lambda row, _: row.node[:IDENTITY] if row.hostname else ""),
        FLEET,
        ("state", _said("state")),
        FOR,
        ("standing", _standing),
        ("reason", _said("reason")),
        ("role", _said("role")),
        MODELS,
        VRAM,
        ("version", _said("version")),
    ),
    "workers": (
        ("worker", _said("worker")),
        FLEET,
        ("status", _said("status")),
        FOR,
        ("reason", _said("reason")),
        ("inconsistencies", lambda row, _: ", ".join(map(short, row.inconsistencies))),
        ("host", _said("host")),
        ("heartbeat", lambda row, now: ago(row.last_heartbeat, now)),
        ("rollout", _said("rollout")),
        ("attempt", _said("attempt")),
        ("cpu", lambda row, _: share(row.cpu_usage_ratio)),
        ("memory", lambda row, _: _used(row.memory_used_bytes, row.memory_total_bytes)),
        ("gpu", lambda row, _: share(row.gpu_utilization_ratio)),
        ("gpu memory", lambda row, _: _used(row.gpu_memory_used_bytes, row.gpu_memory_total_bytes)),
    ),
    "wakeable": (
        ("logical id", _said("logical_id")),
        FLEET,
        ("state", _wakeable_state),
        FOR,
        ("provider", _said("provider")),
        MODELS,
        VRAM,
        ("promised", lambda row, _: lasting(row.wake_eta_seconds)),
        ("wake took", lambda row, _: lasting(row.wake_duration_seconds)),
        ("becomes", _said("becomes")),
    ),
    "sources": (
        ("source", _said("source")),
        FLEET,
        ("kind", _said("kind")),
        ("result", _read),
        ("last success", lambda row, now: ago(row.last_success, now)),
        ("read took", lambda row, _: lasting(row.read_duration_seconds)),
        ("not understood", lambda row, _: _few(row.drift)),
    ),
}
"""The columns of each table of an overview."""
