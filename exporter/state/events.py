"""What a worker's events make of it: LightningStore's rules, Agent Lightning 0.3.0, `store/collection_based.py`.

One thing differs: a report that an attempt is preparing or running, after one that it succeeded or failed, came late
and changes nothing. Where a store knows what its attempts are, the registry knows only what it is told.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from exporter.records.registry import Registered

FINISHED = 64
"""How many attempts of a worker that ended are remembered."""

ENDED = ("succeeded", "failed")
GIVEN_UP = ("timeout", "unresponsive")


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """A sign of life; `stats` is a snapshot of its machine as JSON, None where it brought none."""

    worker: str
    stats: bytes | None = None


class Dequeue(msgspec.Struct, frozen=True, gc=False):
    """A worker asked for work; `claimed` tells whether it got any, `rollout` and `attempt` what, where that is said."""

    worker: str
    claimed: bool
    rollout: str | None = None
    attempt: str | None = None


class AttemptReport(msgspec.Struct, frozen=True, gc=False):
    """How an attempt of a worker goes; `status` is one of `ATTEMPT_STATUSES`."""

    worker: str
    rollout: str
    attempt: str
    status: str


Event = Heartbeat | Dequeue | AttemptReport


def after(was: Registered | None, event: Event, now: float) -> Registered:
    """A worker after an event at `now`, in Unix seconds; `was` is None for one that was not known."""
    worker = was or Registered(event.worker)
    match event:
        case Heartbeat():
            stats = worker.stats if event.stats is None else event.stats
            return replace(worker, stats=stats, last_heartbeat=now)
        case Dequeue():
            return _dequeued(worker, event, now)
        case AttemptReport():
            return _reported(worker, event, now)


def _dequeued(worker: Registered, event: Dequeue, now: float) -> Registered:
    """An empty one leaves what the worker seems to hold, as a store does; a claimed one begins the attempt anew."""
    if not event.claimed:
        idle = worker.last_idle if worker.status == "idle" else now
        return replace(worker, status="idle", last_dequeue=now, last_idle=idle)
    pair = event.rollout, event.attempt
    return replace(
        worker,
        status="busy",
        last_dequeue=now,
        last_busy=now,
        rollout=event.rollout,
        attempt=event.attempt,
        last_rollout=event.rollout,
        last_attempt=event.attempt,
        attempt_status="preparing",
        finished=tuple(each for each in worker.finished if each != pair),
    )


def _reported(worker: Registered, event: AttemptReport, now: float) -> Registered:
    pair = event.rollout, event.attempt
    if event.status in ENDED or event.status in GIVEN_UP:
        others = tuple(each for each in worker.finished if each != pair)
        return replace(
            worker,
            status="idle" if event.status in ENDED else "unknown",
            last_idle=now,
            rollout=None,
            attempt=None,
            last_rollout=event.rollout,
            last_attempt=event.attempt,
            attempt_status=event.status,
            finished=(*others, pair)[-FINISHED:] if event.status in ENDED else worker.finished,
        )
    if pair in worker.finished:
        return worker
    return replace(
        worker,
        status="busy",
        last_busy=now,
        rollout=event.rollout,
        attempt=event.attempt,
        last_rollout=event.rollout,
        last_attempt=event.attempt,
        attempt_status=event.status,
    )
