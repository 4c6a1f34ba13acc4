"""What the workers of a fleet are judged from, kept so that a judgement can be explained: the same rules, run again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from exporter.records import Attempt, Inconsistency, Record, WorkerMemory, WorkerReport
from exporter.records.reading import StoreReading
from exporter.records.transition import Transition
from exporter.records.worker_evidence import InconsistencyEvidence, Sign, WorkerEvidence
from exporter.state.consistency import MEANINGS
from exporter.state.history import History
from exporter.state.worker import (
    INFINITY,
    Outage,
    clock_skew,
    held_attempt,
    is_forgotten,
    silence,
    telemetry_stale,
    worker_status,
)
from exporter.state.worker_words import REASONS

DIGITS = 3
"""Decimal digits of the seconds that are shown."""


class StoreTold(NamedTuple):
    """A store's last answer, by which source; until when it is fresh, and when it came (None: not said), monotonic."""

    source: str
    reading: StoreReading
    fresh_until: float
    at: float | None


class WorkersEvidence(NamedTuple):
    """Everything that the last judgement of a fleet's workers came from; immutable, and safe for threads.

    The limits are in seconds. `fresh` tells whether what the store told counted; `inconsistencies` and `bare` are what
    reads in a row gave. `remembered` is what the ledger shows of the workers, `history` what became of them lately.
    """

    fleet: str
    heartbeat_timeout: float = 45.0
    forget_after: float = INFINITY
    told: StoreTold | None = None
    fresh: bool = False
    inconsistencies: tuple[Inconsistency, ...] = ()
    bare: Collection[str] = frozenset()
    remembered: tuple[Record, ...] = ()
    history: History | None = None

    def hosts(self) -> dict[str, str | None]:
        """By id the host of each worker that the store listed last, that is remembered, or at odds."""
        known: dict[str, str | None] = {each.worker: None for each in self.inconsistencies}
        known.update((each.worker, None) for each in self.remembered if isinstance(each, WorkerMemory))
        known.update((each.worker, each.host) for each in (self.told.reading.workers if self.told else ()))
        return known

    def of(self, worker: str, now: float, wall: float) -> WorkerEvidence | None:
        """Explain a worker; None for one that nobody knows. `now` is monotonic, `wall` that instant in Unix time."""
        listed = self.told.reading.workers if self.told else ()
        report = next((each for each in listed if each.worker == worker), None)
        memories = (each for each in self.remembered if isinstance(each, WorkerMemory))
        memory = next((each for each in memories if each.worker == worker), None)
        found = [each for each in self.inconsistencies if each.worker == worker]
        if report is None and memory is None and not found:
            return None
        moves = self.history.of(self.fleet, worker) if self.history else ()
        said = self._reading(now) | (self._said(report) if report is not None else {})
        return WorkerEvidence(
            fleet=self.fleet,
            worker=worker,
            at=round(wall, DIGITS),
            inconsistencies=tuple(
                InconsistencyEvidence(each.kind, MEANINGS[each.kind], each.rollout, each.attempt) for each in found
            ),
            present=None if memory is None else bool(memory.present),
            since=None if memory is None else memory.since,
            transitions=tuple(Transition(*move) for move in moves),
            transitions_since=self.history.since(self.fleet) if self.history else None,
            **said,
        )

    def _reading(self, now: float) -> dict[str, Any]:
        if self.told is None:
            return {}
        ago = None if self.told.at is None else round(max(0.0, now - self.told.at), DIGITS)
        return {"source": self.told.source, "fresh": self.fresh, "read_seconds_ago": ago}

    def _said(self, report: WorkerReport) -> dict[str, Any]:
        """What the store said of a worker, and while that is fresh the judgement of it."""
        reading = self.told.reading if self.told else None
        attempt = reading.attempts.get(report.worker) if reading else None
        outage = Outage.of(reading, self.heartbeat_timeout) if reading else None
        read_at = reading.read_at if reading else 0.0
        age, counted = silence(report, attempt, read_at), silence(report, attempt, read_at, outage)
        held = held_attempt(report, attempt)
        said: dict[str, Any] = {
            "read_at": read_at,
            "silence_seconds": None if age == INFINITY else round(age, DIGITS),
            "outage_seconds": 0.0 if age == INFINITY else round(age - counted, DIGITS),
            "heartbeat_timeout_seconds": self.heartbeat_timeout,
            "signs": _signs(report, held, read_at),
            "word": report.word,
            "rollout": report.rollout,
            "attempt": report.attempt,
            "attempt_status": None if attempt is None else attempt.status or None,
            "telemetry_stale": telemetry_stale(report, read_at, self.heartbeat_timeout, outage),
            "host": report.host,
            "os": report.os,
            "clock_skew_seconds": None if report.worker in self.bare else clock_skew(report),
        }
        return said | (self._judgement(report, attempt, read_at, outage) if self.fresh else {})

    def _judgement(
        self, report: WorkerReport, attempt: Attempt | None, read_at: float, outage: Outage | None
    ) -> dict[str, Any]:
        verdict = worker_status(report, attempt, read_at, self.heartbeat_timeout, outage)
        if verdict.reason == "silent" and is_forgotten(report, attempt, read_at, self.forget_after):
            return {"forgotten": True, "reason": verdict.reason, "rule": REASONS[verdict.reason]}
        return {
            "status": verdict.status,
            "reason": verdict.reason,
            "rule": REASONS[verdict.reason],
            "reported": verdict.reported,
        }


def _signs(report: WorkerReport, held: Attempt | None, read_at: float) -> tuple[Sign, ...]:
    """The times that are known of a worker; `idle` is no evidence, as a store's watchdog moves it for the dead."""
    times = {
        "heartbeat": report.last_heartbeat,
        "dequeue": report.last_dequeue,
        "busy": report.last_busy,
        "attempt_heartbeat": None if held is None else held.last_heartbeat,
    }
    newest = max((time for time in times.values() if time is not None), default=None)
    return tuple(
        Sign(
            what=what,
            at=time,
            age_seconds=None if time is None else round(max(0.0, read_at - time), DIGITS),
            counts=what in times,
            newest=what in times and time is not None and time == newest,
        )
        for what, time in {**times, "idle": report.last_idle}.items()
    )
