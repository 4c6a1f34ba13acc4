"""A LightningStore: workers, rollouts, attempts and a queue, with the store's own rules.

Rules: agentlightning 0.3.0, `store/collection_based.py`. The field order of the structs is that of its JSON.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import msgspec

FINISHED = ("failed", "succeeded", "cancelled")
KEPT_FINISHED_ROLLOUTS = 500


class Snapshot(msgspec.Struct, kw_only=True):
    """A heartbeat's view of its machine: GiB, MiB and percent as `utils/system_snapshot.py` sends them."""

    timestamp: str
    host: str
    os: str
    cpu_name: str
    cpu_cores: int
    cpu_threads: int
    cpu_usage_pct: float
    mem_used_gb: float
    mem_total_gb: float
    mem_pct: float
    disk_used_gb: float
    disk_total_gb: float
    disk_pct: float
    bytes_sent_mb: float
    bytes_recv_mb: float
    gpus: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class Worker(msgspec.Struct):
    """A runner as the store knows it."""

    worker_id: str
    status: str = "unknown"
    heartbeat_stats: Snapshot | None = None
    last_heartbeat_time: float | None = None
    last_dequeue_time: float | None = None
    last_busy_time: float | None = None
    last_idle_time: float | None = None
    current_rollout_id: str | None = None
    current_attempt_id: str | None = None


class Attempt(msgspec.Struct):
    """One try of a worker at a rollout."""

    rollout_id: str
    attempt_id: str
    sequence_id: int
    start_time: float
    end_time: float | None = None
    status: str = "preparing"
    worker_id: str | None = None
    last_heartbeat_time: float | None = None
    metadata: dict[str, Any] | None = None


class RolloutConfig(msgspec.Struct):
    """A rollout's time limit in seconds and its retries."""

    timeout_seconds: float | None = None
    unresponsive_seconds: float | None = None
    max_attempts: int = 1
    retry_condition: list[str] = []


class Rollout(msgspec.Struct):
    """A task; `attempt` is its newest attempt, absent before the first dequeue."""

    rollout_id: str
    input: Any
    start_time: float
    end_time: float | None
    mode: str | None
    resources_id: str | None
    status: str
    config: RolloutConfig
    metadata: dict[str, Any]
    attempt: Attempt | msgspec.UnsetType = msgspec.UNSET


class Store:
    """The store's tables; `clock` gives its time in seconds since the epoch.

    Only the newest finished rollouts are kept, `finished` in the order they did, but `counts` (rollouts by status) and
    the totals know them all.
    """

    def __init__(self, clock: Callable[[], float], rng: random.Random) -> None:
        self.clock = clock
        self._rng = rng
        self.clear()

    def clear(self) -> None:
        """Forget everything, as a restart of an in-memory store does."""
        self.started = self.clock()
        self.workers: dict[str, Worker] = {}
        self.rollouts: dict[str, Rollout] = {}
        self.attempts: dict[str, list[Attempt]] = {}
        self.counts: Counter[str] = Counter()
        self.total_rollouts = self.total_attempts = self.total_spans = self.total_finished = 0
        self._queue: deque[str] = deque()
        self.finished: deque[str] = deque()

    @property
    def queue_length(self) -> int:
        """How many rollouts wait for a worker."""
        return self.counts["queuing"] + self.counts["requeuing"]

    def heartbeat(self, worker_id: str, stats: Snapshot) -> None:
        """Take a worker's heartbeat: its status stays as it was."""
        worker = self._worker(worker_id)
        worker.last_heartbeat_time = self.clock()
        worker.heartbeat_stats = stats

    def enqueue(self, task: Any, mode: str | None, config: RolloutConfig, *, first: bool = False) -> Rollout:
        """Put a new rollout at the end of the queue, or at its head."""
        rollout_id = f"ro-{self._rng.getrandbits(48):012x}"
        rollout = Rollout(rollout_id, task, self.clock(), None, mode, None, "queuing", config, {})
        self.rollouts[rollout_id] = rollout
        self.attempts[rollout_id] = []
        self.counts["queuing"] += 1
        self.total_rollouts += 1
        if first:
            self._queue.appendleft(rollout_id)
        else:
            self._queue.append(rollout_id)
        return rollout

    def dequeue(self, worker_id: str) -> Attempt | None:
        """Hand the next waiting rollout to a worker, or note that it found nothing to do."""
        worker, now = self._worker(worker_id), self.clock()
        worker.last_dequeue_time = now
        while self._queue:
            rollout = self.rollouts.get(self._queue.popleft())
            if rollout is None or rollout.status not in ("queuing", "requeuing"):
                continue
            attempts = self.attempts[rollout.rollout_id]
            attempt_id = f"at-{self._rng.getrandbits(32):08x}"
            attempt = Attempt(rollout.rollout_id, attempt_id, len(attempts) + 1, now, worker_id=worker_id)
            attempts.append(attempt)
            rollout.attempt = attempt
            self.total_attempts += 1
            self._set_status(rollout, "preparing")
            self._sync(attempt)
            return attempt
        if worker.status != "idle":
            worker.status = "idle"
            worker.last_idle_time = now
        return None

    def span(self, attempt: Attempt) -> None:
        """Take a span of an attempt: a sign of life of the attempt; the first one sets it running."""
        rollout = self.rollouts.get(attempt.rollout_id)
        if rollout is None:
            return
        self.total_spans += 1
        attempt.last_heartbeat_time = self.clock()
        if attempt.status == "preparing":
            self.update(attempt, "running")

    def update(self, attempt: Attempt, status: str) -> bool:
        """Set an attempt's status, and with it its worker's and (if it is the newest) its rollout's.

        Gives False if the store does not know the attempt (any more), where the real one answers 500.
        """
        attempts = self.attempts.get(attempt.rollout_id)
        if attempts is None or not any(known is attempt for known in attempts):
            return False
        attempt.status = status
        if status in ("failed", "succeeded"):
            attempt.end_time = self.clock()
        rollout = self.rollouts[attempt.rollout_id]
        if rollout.attempt is attempt:
            self._set_status(rollout, _rollout_status(attempt, rollout.config))
        self._sync(attempt)
        return True

    def cancel(self, rollout_id: str) -> None:
        """Cancel a rollout that has not finished; its attempts and workers stay as they are."""
        rollout = self.rollouts.get(rollout_id)
        if rollout is not None and rollout.status not in FINISHED:
            self._set_status(rollout, "cancelled")

    def scan(self) -> None:
        """Flag attempts that are over their time limit (the store's watchdog)."""
        now = self.clock()
        for rollout in list(self.rollouts.values()):
            if rollout.status not in ("preparing", "running") or isinstance(rollout.attempt, msgspec.UnsetType):
                continue
            limit = rollout.config.timeout_seconds
            if limit is not None and now - rollout.attempt.start_time > limit:
                self.update(rollout.attempt, "timeout")

    def statistics(self) -> dict[str, str | int | float]:
        """What `/statistics` tells: totals and the uptime in seconds."""
        return {
            "name": "InMemoryLightningStore",
            "total_rollouts": self.total_rollouts,
            "total_attempts": self.total_attempts,
            "total_spans": self.total_spans,
            "total_resources": 0,
            "total_workers": len(self.workers),
            "uptime": self.clock() - self.started,
            "total_span_bytes": self.total_spans * 700,
            "eviction_threshold_bytes": 17693551411,
            "safe_threshold_bytes": 14154841128,
            "memory_capacity_bytes": 25276502016,
        }

    def _worker(self, worker_id: str) -> Worker:
        worker = self.workers.get(worker_id)
        if worker is None:
            worker = self.workers[worker_id] = Worker(worker_id)
        return worker

    def _sync(self, attempt: Attempt) -> None:
        if attempt.worker_id is None:
            return
        worker, now = self._worker(attempt.worker_id), self.clock()
        if attempt.status in ("preparing", "running"):
            worker.status = "busy"
            worker.last_busy_time = now
            worker.current_rollout_id, worker.current_attempt_id = attempt.rollout_id, attempt.attempt_id
        else:
            worker.status = "idle" if attempt.status in ("succeeded", "failed") else "unknown"
            worker.last_idle_time = now
            worker.current_rollout_id = worker.current_attempt_id = None

    def _set_status(self, rollout: Rollout, status: str) -> None:
        if status == rollout.status:
            return
        first_end = status in FINISHED and rollout.status not in FINISHED
        self.counts[rollout.status] -= 1
        self.counts[status] += 1
        rollout.status = status
        if status in FINISHED:
            rollout.end_time = self.clock()
        if status == "requeuing":
            self._queue.append(rollout.rollout_id)
        if first_end:
            self.total_finished += 1
            self.finished.append(rollout.rollout_id)
            self._forget()

    def _forget(self) -> None:
        while len(self.finished) > KEPT_FINISHED_ROLLOUTS:
            rollout_id = self.finished.popleft()
            del self.rollouts[rollout_id], self.attempts[rollout_id]


def _rollout_status(attempt: Attempt, config: RolloutConfig) -> str:
    if attempt.status in ("preparing", "running", "succeeded"):
        return attempt.status
    if attempt.status in config.retry_condition and attempt.sequence_id < config.max_attempts:
        return "requeuing"
    return "failed"
