"""A worker as the registry holds it: what its heartbeats, dequeues and attempt reports have made of it."""

from __future__ import annotations

import msgspec

ATTEMPT_STATUSES = ("preparing", "running", "failed", "succeeded", "unresponsive", "timeout")
"""Those of Agent Lightning 0.3.0, `types/core.py`."""

Pair = tuple[str, str]
"""A rollout and one of its attempts."""


class Registered(msgspec.Struct, frozen=True, gc=False):
    """One worker; `status` is one of `WORKER_STATUSES`, times are Unix seconds on the registry's clock.

    `stats` is the newest snapshot that a heartbeat brought, as JSON. `rollout` and `attempt` are what it holds.
    `attempt_status` is that of the attempt last reported on, which `last_rollout` and `last_attempt` name and which it
    may hold no longer; `finished` are the attempts that ended last, the newest at the end.
    """

    worker_id: str
    status: str = "unknown"
    stats: bytes | None = None
    last_heartbeat: float | None = None
    last_dequeue: float | None = None
    last_busy: float | None = None
    last_idle: float | None = None
    rollout: str | None = None
    attempt: str | None = None
    last_rollout: str | None = None
    last_attempt: str | None = None
    attempt_status: str | None = None
    finished: tuple[Pair, ...] = ()
