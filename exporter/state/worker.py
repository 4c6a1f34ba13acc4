"""The effective status of a worker, from what its store says and how old the evidence of its life is.

The store's own rules are those of Agent Lightning 0.3.0, `store/collection_based.py`: a store never turns a silent
worker unknown, so that is done here.
"""

from __future__ import annotations

from typing import NamedTuple

from exporter.records import WORKER_STATUSES, Attempt, WorkerReport

FLAGGED = {"timeout": "attempt_timeout", "unresponsive": "attempt_unresponsive"}
"""Reasons of unknown by the status of the attempt that the store gave up on; any other is `attempt_flagged`."""


INFINITY = float("inf")


class Outage(NamedTuple):
    """A time in which nobody could read the store, so that nothing could be heard of its workers; its own clock."""

    start: float
    end: float


class WorkerVerdict(NamedTuple):
    """A worker's status, why it is so, and the store's word where it differs.

    `reason` is a reason of unknown, or `reported` while the status is the store's.
    """

    status: str
    reason: str
    reported: str | None = None


def worker_status(
    report: WorkerReport, attempt: Attempt | None, heartbeat_timeout: float, outage: Outage | None = None
) -> WorkerVerdict:
    """Judge a worker at the instant of the read: silent, unrecognised, given up on, heartbeat only, in this order.

    `attempt` is the one it holds, or held at the read before; `heartbeat_timeout` is in seconds.
    """
    word = report.word
    if silence(report, attempt, outage) > heartbeat_timeout:
        claimed = word if word in WORKER_STATUSES and word != "unknown" else None
        return WorkerVerdict("unknown", "silent", claimed)
    if word not in WORKER_STATUSES:
        return WorkerVerdict("unknown", "unrecognised")
    if word != "unknown":
        return WorkerVerdict(word, "reported")
    if report.last_dequeue is None and report.last_busy is None and report.last_idle is None:
        return WorkerVerdict("unknown", "heartbeat_only")
    flagged = FLAGGED.get(attempt.status, "attempt_flagged") if attempt else "attempt_flagged"
    return WorkerVerdict("unknown", flagged)


def silence(report: WorkerReport, attempt: Attempt | None, outage: Outage | None = None) -> float:
    """Seconds since the newest evidence that a worker lives, at the instant of the read; infinite without any.

    `last_idle` is no evidence, the store's watchdog moves it for the dead. Evidence from the future has age 0. The time
    of the last `outage` does not count: a store that was away heard nobody.
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
    return _age(newest, report.read_at, outage)


def telemetry_stale(report: WorkerReport, heartbeat_timeout: float, outage: Outage | None = None) -> bool | None:
    """Tell whether a worker's heartbeats stopped; None where it never sent one."""
    if report.last_heartbeat is None:
        return None
    return _age(report.last_heartbeat, report.read_at, outage) > heartbeat_timeout


def _age(instant: float, now: float, outage: Outage | None) -> float:
    age = max(0.0, now - instant)
    if outage is not None and age > 0 and instant < outage.end:
        age -= max(0.0, min(outage.end, now) - max(outage.start, instant))
    return age
