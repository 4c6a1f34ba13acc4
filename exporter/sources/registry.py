"""Rollcall's own registry as a source: what it holds of each worker, read from its file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from exporter.records import Attempt, Store, WorkerGpu, WorkerReport
from exporter.records.reading import StoreReading
from exporter.records.registry import Registered
from exporter.sources.instants import Instants
from exporter.sources.lightning_workers import Told, parse_worker
from exporter.sources.source import Deadline, Pace, SourceError
from exporter.sqlite import FileError

PAGE = 500
"""Workers that are read at once, so that nobody waits long for the interpreter."""

PACE = Pace(interval=2.0, timeout=10.0, stale_after=10.0)
"""How the registry's file is read."""

SETTLING = 60.0
"""Seconds after the start in which workers come back to a registry that was away."""

JUMP = 1.0
"""Seconds by which a clock may be set right without that being a jump."""

Entry = tuple[WorkerReport, Sequence[WorkerGpu], Attempt | None]
"""What a row says: the worker, its GPUs, and the attempt that it holds or that was given up on."""


class Rows(Protocol):
    """What reads the registry's file; everything raises FileError."""

    def page(self, after: int, limit: int) -> list[tuple[int, Registered]]:
        """The next workers behind a position, each with its own."""
        ...

    def departed(self) -> tuple[str, ...]:
        """Who left of late."""
        ...


class RegistrySource:
    """The source of the workers that report to this process. `clock` gives Unix time.

    `heard` is when the registry listened last before this process, None where it never did. `trouble` says why nothing
    can be written to it now, None where it can: a time in which nobody could report is no silence, so that such a
    registry is not read. Nor is that in which the process was stopped, or by which its clock jumped. What was stamped
    before a clock went back is read as old as it was then: it would lie in the future.
    """

    kind = "registry"
    name = "registry"

    def __init__(
        self,
        fleet: str,
        rows: Rows,
        heard: float | None,
        trouble: Callable[[], str | None] = lambda: None,
        *,
        pace: Pace = PACE,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fleet = fleet
        self.pace = pace
        self._rows = rows
        self._trouble = trouble
        self._clock = clock
        self._monotonic = monotonic
        self._started = clock()
        self._deaf = (0.0 if heard is None else min(heard, self._started), self._started)
        self._last = (monotonic(), self._started)
        self._back = 0.0

    def read(self, deadline: Deadline) -> StoreReading:
        """Read all workers, page by page; raises SourceError."""
        trouble = self._trouble()
        if trouble is not None:
            raise SourceError("refused", trouble)
        instant, read_at = self._monotonic(), self._clock()
        self._follow(instant, read_at)
        drift: Counter[str] = Counter()
        try:
            found = self._entries(deadline, drift, read_at)
            departed = self._rows.departed()
        except FileError as error:
            raise SourceError("malformed", str(error)) from None
        self._note(instant, read_at)
        return StoreReading(
            store=Store(self.fleet, None),
            workers=tuple(report for report, _, _ in found.values()),
            read_at=read_at,
            gpus=tuple(gpu for _, gpus, _ in found.values() for gpu in gpus),
            attempts={name: attempt for name, (_, _, attempt) in found.items() if attempt is not None},
            departed=departed,
            outage=self._deaf,
            lenient=True,
            drift=dict(+drift),
        )

    def _entries(self, deadline: Deadline, drift: Counter[str], now: float) -> dict[str, Entry]:
        """Read all pages; a worker that went and came back in between is on two, and the later one counts."""
        entries: dict[str, Entry] = {}
        position, size = 0, PAGE
        while size == PAGE:
            page = self._rows.page(position, PAGE)
            deadline.remaining()
            instants = Instants(drift)
            for _, worker in page:
                report, gpus = parse_worker(self._told(worker, now), worker.stats or b"null", self.fleet, instants)
                entries[worker.worker_id] = (report, gpus, self._attempt(worker))
            position, size = page[-1][0] if page else position, len(page)
        return entries

    def _attempt(self, worker: Registered) -> Attempt | None:
        """The attempt that a worker holds, or that somebody gave up on for it."""
        if worker.last_rollout is None or worker.last_attempt is None or worker.status == "idle":
            return None
        status = worker.attempt_status or ""
        return Attempt(self.fleet, worker.last_rollout, worker.last_attempt, status, worker.worker_id, None)

    def _note(self, instant: float, read_at: float) -> None:
        """Remember a read that succeeded, and the gap before it if there was one: longer than `stale_after`.

        One soon after the start continues the time before the start.
        """
        before, since = self._last
        if max(instant - before, read_at - since) > self.pace.stale_after:
            starting = since - self._started < SETTLING
            self._deaf = (self._deaf[0] if starting else since, read_at)
        self._last = (instant, read_at)

    def _follow(self, instant: float, read_at: float) -> None:
        """Where the clock went back since the last read, take every time of before by the clock as it goes now."""
        before, since = self._last
        jump = (read_at - since) - (instant - before)
        if jump < -JUMP:
            self._back += jump
            self._started += jump
            self._deaf = (self._deaf[0] + jump, self._deaf[1] + jump)
            self._last = (before, since + jump)

    def _told(self, worker: Registered, now: float) -> Told:
        return Told(
            worker_id=worker.worker_id,
            status=worker.status,
            last_heartbeat_time=self._past(worker.last_heartbeat, now),
            last_dequeue_time=self._past(worker.last_dequeue, now),
            last_busy_time=self._past(worker.last_busy, now),
            last_idle_time=self._past(worker.last_idle, now),
            current_rollout_id=worker.rollout,
            current_attempt_id=worker.attempt,
        )

    def _past(self, stamped: float | None, now: float) -> float | None:
        """When something was, by the clock as it goes now; the start of a process that knows no better."""
        if stamped is None or stamped <= now + JUMP:
            return stamped
        return stamped + self._back if stamped + self._back <= now else min(self._started, now)
