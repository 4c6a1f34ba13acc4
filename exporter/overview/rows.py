"""Rows of an overview: fields are called as in the records, and as the labels of metrics. As JSON it is an interface.

Text is as in labels (`exporter.exposition.labels.guard`); times are Unix seconds, None is "not said".
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

GONE = "gone"
"""The state of what left a moment ago."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row; `STATE` is the field that filters by state ask, `SEARCHED` are those that a search looks into."""

    STATE: ClassVar[str] = "state"
    SEARCHED: ClassVar[tuple[str, ...]] = ()
    fleet: str

    @property
    def rank(self) -> int:
        """The unhealthy come first: 0 is the worst."""
        return 0

    @property
    def name(self) -> str:
        """What a person calls it."""
        return str(getattr(self, self.SEARCHED[1]))


class FleetRow(Row, frozen=True, kw_only=True):
    """A fleet in figures: nodes by state (confirmed ones), workers by status, wakeable nodes by state, and sources."""

    nodes: dict[str, int] = {}
    workers: dict[str, int] = {}
    wakeable: dict[str, int] = {}
    sources: int = 0
    sources_down: int = 0


class NodeRow(Row, frozen=True, kw_only=True):
    """A node: its state, `gone` where it left a moment ago, with what that follows from; `models` are hosted."""

    SEARCHED: ClassVar[tuple[str, ...]] = ("fleet", "node", "hostname", "role", "version", "models")
    node: str
    hostname: str | None = None
    state: str
    reason: str | None = None
    reported: str | None = None
    basis: str | None = None
    standing: str | None = None
    disagree: int = 0
    role: str | None = None
    version: str | None = None
    models: tuple[str, ...] = ()
    vram_bytes: float | None = None
    since: float | None = None
    ordinal: int | None = None
    peers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its host name, where that is said."""
        return self.hostname or self.node

    @property
    def rank(self) -> int:
        """Those that left, then unconfirmed ones and ghosts, then those that views really disagree about."""
        if self.state == GONE:
            return 0
        if self.standing != "confirmed":
            return 1
        return {"loading": 3, "serving": 4, "standby": 5}.get(self.state, 6) if not self.disagree else 2


class WorkerRow(Row, frozen=True, kw_only=True):
    """A worker: its status, `gone` where it left a moment ago, and what it holds; times are on its store's clock.

    Of several GPUs the utilization is the average, and the memory the sum of those that say it.
    """

    STATE: ClassVar[str] = "status"
    SEARCHED: ClassVar[tuple[str, ...]] = ("fleet", "worker", "host", "reason", "rollout", "attempt")
    worker: str
    status: str
    reason: str | None = None
    reported: str | None = None
    host: str | None = None
    rollout: str | None = None
    attempt: str | None = None
    last_heartbeat: float | None = None
    cpu_usage_ratio: float | None = None
    memory_used_bytes: float | None = None
    memory_total_bytes: float | None = None
    gpu_utilization_ratio: float | None = None
    gpu_memory_used_bytes: float | None = None
    gpu_memory_total_bytes: float | None = None
    inconsistencies: tuple[str, ...] = ()
    since: float | None = None

    @property
    def rank(self) -> int:
        """The unknown first, then who left, then what is inconsistent."""
        if self.status in ("unknown", GONE):
            return 0 if self.status == "unknown" else 1
        return 2 if self.inconsistencies else 3 if self.status == "busy" else 4


class WakeableRow(Row, frozen=True, kw_only=True):
    """Capacity that sleeps, and never a node; `state` is empty where its word is none that is known."""

    SEARCHED: ClassVar[tuple[str, ...]] = ("fleet", "logical_id", "provider", "inventory", "models", "becomes")
    logical_id: str
    state: str = ""
    provider: str | None = None
    inventory: str = ""
    models: tuple[str, ...] = ()
    vram_bytes: float | None = None
    wake_eta_seconds: float | None = None
    wake_duration_seconds: float | None = None
    becomes: str | None = None
    since: float | None = None

    @property
    def rank(self) -> int:
        """What wakes first, the overdue before the others."""
        if self.state != "waking":
            return 2
        eta, took = self.wake_eta_seconds, self.wake_duration_seconds
        return 0 if eta is not None and took is not None and took > eta else 1


class SourceRow(Row, frozen=True, kw_only=True):
    """How the reading of a source goes: `result` is that of its last read, empty before the first."""

    STATE: ClassVar[str] = "result"
    SEARCHED: ClassVar[tuple[str, ...]] = ("fleet", "source", "kind", "result")
    source: str
    kind: str
    up: bool
    result: str = ""
    last_success: float | None = None
    read_duration_seconds: float | None = None
    drift: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """Those that are down first."""
        return 0 if not self.up else 1


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at `at`, in Unix seconds; `of` counts the rows of each table before the limit."""

    at: float
    version: str
    fleets: tuple[FleetRow, ...] = ()
    nodes: tuple[NodeRow, ...] = ()
    workers: tuple[WorkerRow, ...] = ()
    wakeable: tuple[WakeableRow, ...] = ()
    sources: tuple[SourceRow, ...] = ()
    of: dict[str, int] = {}


TABLES: dict[str, type[Row]] = {"nodes": NodeRow, "workers": WorkerRow, "wakeable": WakeableRow, "sources": SourceRow}
"""The tables of an overview by field, in the order in which they are shown."""
