"""The effective status of a worker, from what its store says and how old the evidence of its life is.

The store's own rules are those of Agent Lightning 0.3.0, `store/collection_based.py`: a store never turns a silent
worker unknown, so that is done here.
"""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

from exporter.records import WORKER_STATUSES, Attempt, WorkerReport
from exporter.records.reading import StoreReading

FLAGGED = {"timeout": "attempt_timeout", "unresponsive": "attempt_unresponsive"}
"""Reasons of unknown by the status of the attempt that the store gave up on; any other is `attempt_flagged`."""


INFINITY = float("inf")

ZONES = 900.0
"""Seconds in which the time zones of the world differ, a multiple of it."""

HALF = ZONES / 2

ROUNDING = 0.001
"""Seconds by which the sum of an instant and a limit is taken for less than it is: it may be rounded."""

FAR = 1e12
"""Seconds of a skew that are no longer told to the millisecond."""


class Outage(NamedTuple):
    """A time in which nobody could read the store, so that nothing could be heard of its workers; its own clock.

    Who was heard of at most `patience` seconds before it counts as heard of at its end.
    """

    start: float
    end: float
    patience: float = 0.0

    @classmethod
    def of(cls, reading: StoreReading, heartbeat_timeout: float) -> Outage | None:
        """The outage that a reading tells of; who was not silent before one of a registry has its whole time again."""
        if reading.outage is None:
            return None
        return cls(*reading.outage, heartbeat_timeout if reading.lenient else 0.0)


class WorkerVerdict(NamedTuple):
    """A worker's status, why it is so, and the store's word where it differs.

    `reason` is a reason of unknown, or `reported` while the status is the store's.
    """

    status: str
    reason: str
    reported: str | None = None


_REPORTED = {word: WorkerVerdict(word, "reported") for word in WORKER_STATUSES if word != "unknown"}


def worker_status(
    report: WorkerReport,
    attempt: Attempt | None,
    read_at: float,
    heartbeat_timeout: float,
    outage: Outage | None = None,
) -> WorkerVerdict:
    """Judge a worker at the instant of the read: silent, unrecognised, given up on, heartbeat only, in this order.

    `attempt` is the one it holds, or held at the read before; `heartbeat_timeout` is in seconds.
    """
    word, heard = report.word, report.last_heartbeat
    if heard is not None and read_at - heard <= heartbeat_timeout and word in _REPORTED:
        return _REPORTED[word]
    if silence(report, attempt, read_at, outage) > heartbeat_timeout:
        claimed = word if word in WORKER_STATUSES and word != "unknown" else None
        return WorkerVerdict("unknown", "silent", claimed)
    if word not in WORKER_STATUSES:
        return WorkerVerdict("unknown", "unrecognised")
    if word != "unknown":
        return _REPORTED[word]
    if report.last_dequeue is None and report.last_busy is None and report.last_idle is None:
        return WorkerVerdict("unknown", "heartbeat_only")
    flagged = FLAGGED.get(attempt.status, "attempt_flagged") if attempt else "attempt_flagged"
    return WorkerVerdict("unknown", flagged)


def silence(report: WorkerReport, attempt: Attempt | None, read_at: float, outage: Outage | None = None) -> float:
    """Seconds since the newest evidence that a worker lives, at the instant of the read; infinite without any.

    Evidence from the future has age 0. The time of the last `outage` does not count: a store that was away heard
    nobody.
    """
    return since_evidence(newest_evidence(report, attempt), read_at, outage)


def newest_evidence(report: WorkerReport, attempt: Attempt | None) -> float:
    """When the newest evidence is from that a worker lives; minus infinity without any.

    `last_idle` is no evidence, the store's watchdog moves it for the dead.
    """
    newest = -INFINITY
    if report.last_heartbeat is not None:
        newest = report.last_heartbeat
    if report.last_dequeue is not None and report.last_dequeue > newest:
        newest = report.last_dequeue
    if report.last_busy is not None and report.last_busy > newest:
        newest = report.last_busy
    if attempt is not None and attempt.attempt == report.attempt and attempt.last_heartbeat is not None:
        newest = max(newest, attempt.last_heartbeat)
    return newest


def lasts_until(
    report: WorkerReport,
    attempt: Attempt | None,
    read_at: float,
    limits: tuple[float, float],
    outage: Outage | None = None,
) -> float:
    """Until when a worker is judged as it is at the instant of the read, if nothing new is said of it.

    `limits` are those of silence: the heartbeat timeout, and that after which it is forgotten, in seconds. Minus
    infinity where an outage counts, which ends with the next.
    """
    heartbeat, (timeout, forget_after) = report.last_heartbeat, limits
    if heartbeat is not None and heartbeat + timeout - ROUNDING >= read_at:
        return heartbeat + timeout - ROUNDING
    newest = newest_evidence(report, attempt)
    heartbeat = newest if heartbeat is None else heartbeat
    if outage is not None and heartbeat < outage.end:
        return -INFINITY
    instants = (heartbeat + timeout, newest + timeout, newest + forget_after)
    return min([instant - ROUNDING for instant in instants if instant >= read_at - ROUNDING], default=INFINITY)


def held_attempt(report: WorkerReport, attempt: Attempt | None) -> Attempt | None:
    """The attempt of a worker if it holds it still."""
    return attempt if attempt is not None and attempt.attempt == report.attempt else None


def is_forgotten(report: WorkerReport, attempt: Attempt | None, read_at: float, forget_after: float) -> bool:
    """Tell whether a silent worker has been so for so long, more than `forget_after` seconds, that it is dropped."""
    return forget_after < silence(report, attempt, read_at) < INFINITY


def telemetry_stale(
    report: WorkerReport, read_at: float, heartbeat_timeout: float, outage: Outage | None = None
) -> bool | None:
    """Tell whether a worker's heartbeats stopped; None where it never sent one."""
    if report.last_heartbeat is None:
        return None
    if read_at - report.last_heartbeat <= heartbeat_timeout:
        return False
    return since_evidence(report.last_heartbeat, read_at, outage) > heartbeat_timeout


def clock_skew(report: WorkerReport) -> float | None:
    """Seconds by which a worker's clock is ahead of its store's, by the snapshot of its newest heartbeat.

    A time without a zone is some local time: of the difference that which is left of whole quarters of an hour, which
    is at most half of one. None where no snapshot says when it was taken, and for what is too far off for a number.
    """
    if report.snapshot_at is None or report.last_heartbeat is None:
        return None
    ahead = report.snapshot_at - report.last_heartbeat
    if not report.snapshot_zoned:
        ahead = (ahead + HALF) % ZONES - HALF
    if -FAR < ahead < FAR:
        return int(ahead * 1000) / 1000.0
    return ahead if isfinite(ahead) else None


def since_evidence(instant: float, now: float, outage: Outage | None) -> float:
    """Seconds from an instant to now, less those of an outage; 0 for one in the future."""
    age = now - instant
    if age <= 0:
        return 0.0
    if outage is not None and instant < outage.end:
        unheard = instant if instant >= outage.start - outage.patience else outage.start
        age -= max(0.0, min(outage.end, now) - unheard)
    return age
