"""Tables of what is remembered: since when things are what they are, what left a moment ago, and what changed."""

from __future__ import annotations

from exporter.records.table import Record

ABSENCES = ("gone", "unlisted", "forgotten", "stale")
"""What is said in the place of a state or status: it left a moment ago; its store does not list it; it was silent
for so long that it is dropped; no fresh read tells of it."""


class NodeMemory(Record, frozen=True, gc=False):
    """A node that is there (`present` 1), or that was until a moment ago (0; the rest is then None).

    `present` is None where another shard tells it.

    `since` is when it came into its state, in Unix seconds; `ordinal` is its place in drawings of the fleet.
    """

    KEY = ("fleet", "node")
    fleet: str
    node: str
    present: int | None
    since: float | None = None
    ordinal: int | None = None

    @property
    def rank(self) -> int:
        """Those that left first."""
        return 1 if self.present is None else self.present


class WorkerMemory(Record, frozen=True, gc=False):
    """A worker that is there (`present` 1), or that was until a moment ago (0; `since` is then None)."""

    KEY = ("fleet", "worker")
    fleet: str
    worker: str
    present: int
    since: float | None = None

    @property
    def rank(self) -> int:
        """Those that left first."""
        return self.present


class WakeableMemory(Record, frozen=True, gc=False):
    """A wakeable node; `since` is when it came into its state, in Unix seconds, None while it has none."""

    KEY = ("fleet", "logical_id")
    fleet: str
    logical_id: str
    since: float | None


class NodeTransitions(Record, frozen=True, gc=False):
    """How often nodes of a fleet went from one state to another."""

    KEY = ("fleet", "from_", "to")
    fleet: str
    from_: str
    to: str
    count: int


class WorkerTransitions(Record, frozen=True, gc=False):
    """How often workers of a fleet went from one status to another."""

    KEY = ("fleet", "from_", "to")
    fleet: str
    from_: str
    to: str
    count: int


class LedgerStatus(Record, frozen=True, gc=False):
    """Whether what is remembered is on disk (`available` 1), or in memory only (0)."""

    available: int
