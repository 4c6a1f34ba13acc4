"""Looks at an exporter all the time, and keeps what it saw."""

from __future__ import annotations

import http.client
import threading
import time
from types import TracebackType
from typing import NamedTuple

from tests.real.process import wait_until
from tests.real.rollcall import Rollcall, Samples

STEP = 0.1


class Seen(NamedTuple):
    """One look: when (monotonic), the source's `up`, the end of its last good read (Unix time), and the workers.

    A worker's state is its status, the reason of unknown, and the store's word where it differs; `heard` is its newest
    sign of life on the store's clock.
    """

    at: float
    up: float | None
    read: float | None
    workers: dict[str, tuple[str, str | None, str | None]]
    heard: dict[str, float]


class Watch:
    """Looks at the source and the workers of a fleet; a context manager. An exporter that is stopped shows nothing."""

    def __init__(self, rollcall: Rollcall, fleet: str) -> None:
        self._rollcall = rollcall
        self._fleet = fleet
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look_for_ever, daemon=True)
        self._seen: list[Seen] = []

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    @property
    def seen(self) -> list[Seen]:
        """All looks so far, in order."""
        return list(self._seen)

    def states(self, worker: str) -> list[tuple[str, str | None, str | None]]:
        """The states that a worker went through, each named once in a row."""
        states = [look.workers[worker] for look in self.seen if worker in look.workers]
        return [state for place, state in enumerate(states) if place == 0 or state != states[place - 1]]

    def silent(self) -> list[str]:
        """The workers that were ever silent."""
        return sorted({name for look in self.seen for name, state in look.workers.items() if state[1] == "silent"})

    def counts(self) -> int:
        """How many workers there were at the last look."""
        return len(self._seen[-1].workers) if self._seen else 0

    def lasts(self, seconds: float) -> None:
        """Go on looking for so long."""
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= end, "time to pass", seconds + 60)

    def _look_for_ever(self) -> None:
        while not self._ending.wait(STEP):
            try:
                samples = self._rollcall.scrape()
            except (OSError, http.client.HTTPException):
                continue
            self._seen.append(self._look(samples))

    def _look(self, samples: Samples) -> Seen:
        names = {labels["worker"] for labels, _ in samples.find("rollcall_worker_status", fleet=self._fleet)}
        workers = {name: state for name in names if (state := samples.status(name, fleet=self._fleet)) is not None}
        up = samples.value("rollcall_source_up", fleet=self._fleet)
        read = samples.value("rollcall_source_last_success_timestamp_seconds", fleet=self._fleet)
        heard = {name: max(self._times(samples, name)) for name in workers}
        return Seen(time.monotonic(), up, read, workers, heard)

    def _times(self, samples: Samples, worker: str) -> list[float]:
        names = [f"rollcall_worker_last_{sign}_timestamp_seconds" for sign in ("heartbeat", "dequeue", "busy")]
        return [samples.value(name, fleet=self._fleet, worker=worker) or 0.0 for name in names]
