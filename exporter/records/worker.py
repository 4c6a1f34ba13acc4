"""Tables of worker fleets: workers, what they hold, and the rollouts of their store."""

from __future__ import annotations

from exporter.records.table import Record

WORKER_STATUSES = ("idle", "busy", "unknown")
ROLLOUT_STATUSES = ("queuing", "preparing", "running", "failed", "succeeded", "cancelled", "requeuing")
UNKNOWN_REASONS = (
    "silent",
    "attempt_timeout",
    "attempt_unresponsive",
    "attempt_flagged",
    "heartbeat_only",
    "unrecognised",
)
"""Why a worker may be unknown; `exporter.state.worker` says when each is so."""

INCONSISTENCIES = (
    "held_by_gone",
    "held_by_unknown",
    "held_by_idle",
    "shared_attempt",
    "shared_id",
    "busy_unassigned",
    "attempt_stalled",
)
"""What can be inconsistent about a worker, the worst first; `exporter.state.consistency` says when each is so."""


class WorkerReport(Record, frozen=True, gc=False):
    """A worker as its store reports it: evidence, not yet a status.

    `word` is the store's status; the four `last_*` are on the store's clock, in seconds since the epoch. Telemetry is
    of the worker's newest heartbeat, and `snapshot_at` when that was taken, on the worker's clock; where it said no
    zone (`snapshot_zoned` is false) as if that were UTC.
    """

    KEY = ("fleet", "worker")
    fleet: str
    worker: str
    word: str
    last_heartbeat: float | None = None
    last_dequeue: float | None = None
    last_busy: float | None = None
    last_idle: float | None = None
    rollout: str | None = None
    attempt: str | None = None
    host: str | None = None
    os: str | None = None
    cpu_usage_ratio: float | None = None
    memory_used_bytes: float | None = None
    memory_total_bytes: float | None = None
    disk_used_bytes: float | None = None
    disk_total_bytes: float | None = None
    network_sent_bytes: float | None = None
    network_received_bytes: float | None = None
    snapshot_at: float | None = None
    snapshot_zoned: bool = False


class Attempt(Record, frozen=True, gc=False):
    """The newest attempt of a rollout; `last_heartbeat` is on the upstream's clock and moves with spans."""

    KEY = ("fleet", "rollout", "attempt")
    fleet: str
    rollout: str
    attempt: str
    status: str
    worker: str | None
    last_heartbeat: float | None


class Worker(Record, frozen=True, gc=False):
    """A worker with its effective status; `reported` is the store's word where it differs, `reason` why unknown.

    Telemetry is None while `telemetry_stale` is 1. `clock_skew_seconds` is how far the worker's clock is ahead of the
    store's.
    """

    KEY = ("fleet", "worker")
    fleet: str
    worker: str
    status: str
    reason: str | None
    reported: str | None
    host: str | None
    os: str | None
    telemetry_stale: int | None
    last_heartbeat: float | None
    last_dequeue: float | None
    last_busy: float | None
    last_idle: float | None
    cpu_usage_ratio: float | None
    memory_used_bytes: float | None
    memory_total_bytes: float | None
    disk_used_bytes: float | None
    disk_total_bytes: float | None
    network_sent_bytes: float | None
    network_received_bytes: float | None
    clock_skew_seconds: float | None = None

    @property
    def rank(self) -> int:
        """Unknown ones first, then the busy."""
        return {"unknown": 0, "busy": 1}.get(self.status, 2)


class WorkerGpu(Record, frozen=True, gc=False):
    """A GPU of a worker's machine, by its position in the heartbeat."""

    KEY = ("fleet", "worker", "gpu")
    fleet: str
    worker: str
    gpu: str
    utilization_ratio: float | None
    memory_used_bytes: float | None
    memory_total_bytes: float | None
    temperature_celsius: float | None


class Assignment(Record, frozen=True, gc=False):
    """The rollout and attempt that a worker holds, as its store claims; `status` is the worker's."""

    KEY = ("fleet", "worker", "rollout", "attempt")
    fleet: str
    worker: str
    rollout: str
    attempt: str
    status: str

    @property
    def rank(self) -> int:
        """Those of unknown workers first."""
        return 0 if self.status == "unknown" else 1


class Inconsistency(Record, frozen=True, gc=False):
    """What is inconsistent about a worker: one of `INCONSISTENCIES`; the rollout and attempt are those that show it."""

    KEY = ("fleet", "worker", "kind")
    fleet: str
    worker: str
    kind: str
    rollout: str | None = None
    attempt: str | None = None

    @property
    def rank(self) -> int:
        """The worst kinds first."""
        return INCONSISTENCIES.index(self.kind)


class WorkerCount(Record, frozen=True, gc=False):
    """How many workers of a fleet have a status."""

    KEY = ("fleet", "status")
    fleet: str
    status: str
    count: int


class RolloutCount(Record, frozen=True, gc=False):
    """How many rollouts a store holds in a status."""

    KEY = ("fleet", "status")
    fleet: str
    status: str
    count: int


class RolloutsFinished(Record, frozen=True, gc=False):
    """How many rollouts of a store have finished with a status, since its start."""

    KEY = ("fleet", "status")
    fleet: str
    status: str
    finished: int


class Store(Record, frozen=True, gc=False):
    """A LightningStore; `started` is when it started, on its own clock."""

    KEY = ("fleet",)
    fleet: str
    started: float | None
