"""Why a worker has its status, for a person to read: no table, no metric comes of it. As JSON it is an interface."""

from __future__ import annotations

import msgspec

from exporter.records.transition import Transition


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One of the times that are known of a worker, on its store's clock, and its age when the store was read.

    `what` is `heartbeat`, `dequeue`, `busy`, `attempt_heartbeat` or `idle`. One that does not count is no evidence of
    life; the newest of those that do decides. `at` and the age are None where the store did not say it.
    """

    what: str
    at: float | None
    age_seconds: float | None
    counts: bool
    newest: bool


class InconsistencyEvidence(msgspec.Struct, frozen=True):
    """Something that is inconsistent, in words, with the rollout and attempt that show it."""

    kind: str
    meaning: str
    rollout: str | None
    attempt: str | None


class WorkerEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """A worker, its status with the rule that gave it, what its store claims, and what is remembered of it.

    `at`, `since` and `transitions_since` are Unix seconds. `read_at` is the store's clock when it was read, which was
    `read_seconds_ago` at `at`. Without a `fresh` reading of the store there is no status; what the store said last is
    there all the same. `status` is None also where the worker is not listed, or `forgotten`: silent for so long that it
    is dropped. `outage_seconds` of the silence do not count, as nobody could read the store. `word` is what the store
    says, `reported` where that is overridden.
    """

    fleet: str
    worker: str
    at: float
    source: str | None = None
    fresh: bool = False
    read_at: float | None = None
    read_seconds_ago: float | None = None
    status: str | None = None
    reason: str | None = None
    rule: str | None = None
    reported: str | None = None
    forgotten: bool = False
    silence_seconds: float | None = None
    outage_seconds: float = 0.0
    heartbeat_timeout_seconds: float | None = None
    signs: tuple[Sign, ...] = ()
    word: str | None = None
    rollout: str | None = None
    attempt: str | None = None
    attempt_status: str | None = None
    telemetry_stale: bool | None = None
    host: str | None = None
    os: str | None = None
    clock_skew_seconds: float | None = None
    inconsistencies: tuple[InconsistencyEvidence, ...] = ()
    present: bool | None = None
    since: float | None = None
    transitions: tuple[Transition, ...] = ()
    transitions_since: float | None = None


class WorkerName(msgspec.Struct, frozen=True, order=True):
    """What a worker is called, and the host that its newest heartbeat named."""

    fleet: str
    worker: str
    host: str | None


class UnknownWorker(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no explanation; `candidates` are those that an id may mean, `near` those with a similar one."""

    error: str
    candidates: tuple[WorkerName, ...] = ()
    near: tuple[WorkerName, ...] = ()
