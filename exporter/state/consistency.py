"""What is at odds in one read of a store: workers against the attempts they hold, and against each other.

A store lists its workers before its rollouts, in pages, and goes on meanwhile: what such a change can feign counts only
when two reads in a row show it of the same attempt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from exporter.records import INCONSISTENCIES, Assignment, Attempt, Inconsistency, Record, Worker, WorkerReport
from exporter.records.reading import StoreReading
from exporter.state.judged import Judged, Standing
from exporter.state.sharing import Senders, follow
from exporter.state.worker import Outage, held_attempt, since_evidence

STALLED = 10.0
"""Heartbeat timeouts without a span after which an attempt that sent some is stalled. A span ends with a model's or a
tool's answer, which may take minutes."""

ACTIVE = ("preparing", "running")
"""The statuses of an attempt that is under way."""

MEANINGS = {
    "held_by_gone": "a rollout is preparing or running, and its worker is not listed",
    "held_by_unknown": "the worker is unknown, and holds a rollout",
    "held_by_idle": "a rollout is preparing or running, and its worker is idle",
    "shared_attempt": "another worker holds the same attempt",
    "shared_id": "heartbeats under this id come from several hosts, or clocks, by turns",
    "busy_unassigned": "the worker is busy, and holds no attempt",
    "attempt_stalled": "the worker is alive, and its attempt has sent no span for a long time",
}
"""Each of `INCONSISTENCIES` in words."""

Held = tuple[str, str, str]
"""Whether held or shared, a rollout, and one of its attempts."""


class Recent(NamedTuple):
    """What one read leaves to the next: who sent it what, which judgements stand, its tables, and what was at odds.

    What was at odds may have been so by a change meanwhile.
    """

    senders: Senders = Senders()
    doubtful: Collection[Held] = frozenset()
    standing: Standing = Standing()
    tables: Mapping[type[Record], tuple[Record, ...]] = {}


class Consistency:
    """Compares what one reading says of each worker; `timeout` is the heartbeat timeout in seconds.

    `moved` are the places of the reports that are others than those before.

    What somebody held who has been silent for so long that it is dropped is no news.
    """

    def __init__(
        self, reading: StoreReading, recent: Recent, timeout: float, outage: Outage | None, moved: Sequence[int]
    ) -> None:
        self._reading = reading
        self._read_at = reading.read_at
        self._recent = recent
        self._timeout = timeout
        self._outage = outage
        self._assigns = bool(reading.rollouts)
        self._doubtful: set[Held] = set()
        self._found: dict[tuple[str, str], Inconsistency] = {}
        self.senders = follow(recent.senders, reading.workers, reading.read_at, moved)
        self._forgotten: set[str] = set()

    def look(self, judged: Judged) -> None:
        """Look at one worker that is not plain: its attempt, and what it is judged to be."""
        report, attempt, worker = judged.report, judged.attempt, judged.worker
        if worker is None:
            self._forgotten.add(report.worker)
            return
        rollout, held = report.rollout, report.attempt
        if rollout is None or held is None:
            if worker.status == "busy" and self._assigns:
                self._note(report.worker, "busy_unassigned", rollout, held)
            return
        if report.word != "idle" and worker.status == "unknown":
            self._suspect(report.worker, "held_by_unknown", rollout, held)
        fresh = worker.status == "busy" and worker.telemetry_stale == 0
        if attempt is not None and fresh and self._stalled(report, attempt):
            self._note(report.worker, "attempt_stalled", rollout, held)

    def compare(self, judged: Sequence[Judged]) -> None:
        """Look for an attempt that several hold; an assignment that an idle worker still has is a stale one."""
        held = [each.assignment for each in judged if each.assignment is not None and each.report.word != "idle"]
        claims: dict[tuple[str, str], Assignment] = {}
        for each in held:
            other = claims.setdefault((each.rollout, each.attempt), each)
            if other is not each:
                for one in (other, each):
                    self._suspect(one.worker, "shared_attempt", one.rollout, one.attempt)

    def judged(self, workers: Sequence[Worker]) -> tuple[tuple[Inconsistency, ...], Recent]:
        """All that is at odds, the worst first, and what to compare the next reading with.

        Where a malformed worker was left out of the list nobody counts as gone.
        """
        absent = None if self._reading.drift.get("workers") else "gone"
        active = [attempt for attempt in self._reading.active if attempt.worker not in self._forgotten]
        shared = self.senders.shared()
        statuses = {worker.worker: worker.status for worker in workers} if active or shared else {}
        for attempt in active:
            status = statuses.get(attempt.worker, absent) if attempt.worker is not None else None
            if attempt.worker is not None and status is not None and status != "busy":
                self._suspect(attempt.worker, f"held_by_{status}", attempt.rollout, attempt.attempt)
        for worker in shared:
            if worker in statuses:
                self._note(worker, "shared_id")
        found = sorted(self._found.values(), key=_worst)
        return tuple(found), Recent(self.senders, frozenset(self._doubtful))

    def _stalled(self, report: WorkerReport, attempt: Attempt) -> bool:
        held = held_attempt(report, attempt)
        if held is None or held.status not in ACTIVE or held.last_heartbeat is None:
            return False
        newest = max(held.last_heartbeat, report.last_busy or held.last_heartbeat)
        return since_evidence(newest, self._read_at, self._outage) > STALLED * self._timeout

    def _suspect(self, worker: str, kind: str, rollout: str, attempt: str) -> None:
        held = ("shared" if kind == "shared_attempt" else "held", rollout, attempt)
        self._doubtful.add(held)
        if held in self._recent.doubtful:
            self._note(worker, kind, rollout, attempt)

    def _note(self, worker: str, kind: str, rollout: str | None = None, attempt: str | None = None) -> None:
        found = Inconsistency(self._reading.store.fleet, worker, kind, rollout, attempt)
        self._found.setdefault((worker, kind), found)


def _worst(found: Inconsistency) -> tuple[int, str]:
    return INCONSISTENCIES.index(found.kind), found.worker
