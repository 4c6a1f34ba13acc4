"""What tests of the registry's file share: requests, and a registry in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exporter.registry.store import Goodbye, Outcome, RegistryStore, Request
from exporter.state.events import AttemptReport, Dequeue, Heartbeat

NOW = 1_795_330_870.123456
"""An instant with more digits than are needed: all of them must come back."""


def beat(worker: str, stats: bytes | None = None, client: str = "client") -> Request:
    """A heartbeat."""
    return Request(Heartbeat(worker, stats), client)


def ask(worker: str, *claimed: str, client: str = "client") -> Request:
    """A dequeue: `claimed` is the rollout and attempt that it gave, or nothing."""
    return Request(Dequeue(worker, bool(claimed), *claimed), client)


def report(worker: str, attempt: str, status: str, client: str = "client") -> Request:
    """How an attempt of rollout `r` goes."""
    return Request(AttemptReport(worker, "r", attempt, status), client)


def leave(worker: str) -> Request:
    """A goodbye."""
    return Request(Goodbye(worker), "client")


def opened(folder: Path, most: int = 1000, per_client: int = 1000, **more: Any) -> RegistryStore:
    """The registry of a folder."""
    return RegistryStore.open(folder, most=most, per_client=per_client, **more)


def take(store: RegistryStore, *requests: Request, now: float = NOW) -> list[Outcome]:
    """Apply requests in one transaction."""
    return store.apply(requests, now)


def names(store: RegistryStore) -> list[str]:
    """All workers in their order, read in pages of two."""
    found, position = [], 0
    while page := store.page(position, 2):
        found += [worker.worker_id for _, worker in page]
        position = page[-1][0]
    return found
