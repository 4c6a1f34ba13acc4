"""Workers of the registry that come and go, and what of them was acknowledged."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections import deque
from collections.abc import Callable

from tests.real.web import ask, post

WORKERS = 20
"""Workers at a time."""

BEAT = 0.05
"""Seconds between two heartbeats, so that each worker has one a second."""

LIFE = 40
"""Heartbeats, of any worker, after which the oldest leaves and another comes."""


class Workers:
    """Sends heartbeats to an exporter from a thread of its own; a context manager."""

    def __init__(self, url: str) -> None:
        self.acknowledged = 0
        self.refused = 0
        self._url = f"{url}/v1/agl/workers"
        self._there: deque[str] = deque()
        self._known: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Workers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more."""
        self._over.set()
        self._thread.join()

    def lost(self) -> int:
        """How many workers were acknowledged, have not left, and are not listed."""
        listed = ask(self._url).json()["items"]
        return len(self._known - {worker["worker_id"] for worker in listed})

    def _run(self) -> None:
        turn = 0
        while not self._over.wait(BEAT):
            turn += 1
            if len(self._there) < WORKERS:
                self._there.append(f"soak-{turn}")
            elif turn % LIFE == 0:
                self._leave(self._there.popleft())
            worker = self._there[0]
            self._there.rotate(-1)
            stats = {"host": "soak", "cpu_usage_pct": turn % 100, "mem_used_gb": 1.5}
            if self._done(lambda: post(f"{self._url}/{worker}", {"heartbeat_stats": stats}).status):  # noqa: B023
                self.acknowledged += 1
                self._known.add(worker)
            else:
                self.refused += 1

    def _leave(self, worker: str) -> None:
        self._known.discard(worker)
        self._done(lambda: ask(f"{self._url}/{worker}", method="DELETE").status)

    def _done(self, asked: Callable[[], int]) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return asked() == 200
        return False
