"""Writes what clients ask for: everything that waits goes into one transaction, so that many share one fsync."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Condition, Thread
from typing import Generic, TypeVar

from exporter.isolate import isolated
from exporter.registry.request import Outcome, Request, Unwritten
from exporter.registry.store import DROPPED, RegistryError, RegistryStore

Token = TypeVar("Token")
T = TypeVar("T")

Answers = Sequence[tuple[Token, Outcome | Unwritten]]
"""What came of requests, each with the token that it was submitted with."""

MOST = 4096
"""Requests that wait at most."""

MOST_BYTES = 32 * 2**20
"""Bytes of memory that waiting requests take at most."""

BUSY = 4
"""Requests in one transaction from which on more are waited for."""

GATHERING = 0.0003
"""Seconds that a busy writer waits for more requests before it takes what there is.

A transaction costs as much as several heartbeats. At 32 clients this took a quarter less CPU for each heartbeat.
"""

LISTENING = 10.0
"""Seconds after which an idle registry writes down that it still listens."""

CLEANING = 60.0
"""Seconds between two looks for silent workers."""

JUMP = 60.0
"""Seconds by which the clock may seem to jump between two looks."""

log = logging.getLogger("rollcall")


class Writer(Generic[Token]):
    """One thread that writes; `submit` is safe for threads. `clock` gives Unix time, `retention` is in seconds.

    A request is answered once, after its transaction is on disk, or with an `Unwritten`. `trouble` says why the last
    attempt to write failed, None where it did not.
    """

    def __init__(
        self,
        store: RegistryStore,
        clock: Callable[[], float] = time.time,
        *,
        retention: float = 86400.0,
        monotonic: Callable[[], float] = time.monotonic,
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._retention = retention
        self._most = most
        self._most_bytes = most_bytes
        self._pause = pause
        self._waiting: list[tuple[Request, Token]] = []
        self._bytes = 0
        self._arrived = Condition()
        self._stopping = False
        self._thread: Thread | None = None
        self._started = clock()
        self._cleaned = (monotonic(), self._started)
        self.trouble: str | None = None

    def start(self, answer: Callable[[Answers[Token]], None]) -> None:
        """Start writing; `answer` is called on the writer's thread, once per transaction, with what came of each."""
        self._thread = Thread(target=self._write_for_ever, args=(answer,), name="registry", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, answer it, and end; whatever is submitted afterwards is Unwritten."""
        with self._arrived:
            self._stopping = True
            self._arrived.notify_all()
        if self._thread is not None:
            self._thread.join()

    def submit(self, request: Request, token: Token) -> Unwritten | None:
        """Have a request written; None where it waits now, and `token` will come back with what came of it."""
        size = request.size
        with self._arrived:
            if self._stopping:
                return Unwritten("stopped", "the registry ends")
            if len(self._waiting) >= self._most or self._bytes + size > self._most_bytes:
                return Unwritten("busy", f"{len(self._waiting)} requests of {self._bytes} bytes wait to be written")
            self._waiting.append((request, token))
            self._bytes += size
            if len(self._waiting) == 1:
                self._arrived.notify()
        return None

    def _write_for_ever(self, answer: Callable[[Answers[Token]], None]) -> None:
        taken: Sequence[tuple[Request, Token]] = ()
        while True:
            with self._arrived:
                self._arrived.wait_for(lambda: self._waiting or self._stopping, timeout=LISTENING)
            if len(taken) >= BUSY:
                self._pause(GATHERING)
            with self._arrived:
                taken, self._waiting, self._bytes = self._waiting, [], 0
                ends = self._stopping and not taken
            if taken:
                outcomes = self._apply([request for request, _ in taken])
                answers = [(token, outcome) for (_, token), outcome in zip(taken, outcomes, strict=True)]
                isolated("registry", partial(answer, answers))
            else:
                self._attempt(lambda: self._store.listen(self._clock()))
            if ends:
                return
            if self.trouble is None and self._monotonic() - self._cleaned[0] >= CLEANING:
                self._clean()

    def _apply(self, requests: Sequence[Request]) -> Sequence[Outcome | Unwritten]:
        outcomes = self._attempt(lambda: self._store.apply(requests, self._clock()))
        return [Unwritten("failed", self.trouble or "")] * len(requests) if outcomes is None else outcomes

    def _clean(self) -> None:
        """Drop who is silent for too long, as far as one transaction goes.

        After a jump of the clock, as after a machine's sleep, all that was heard before seems old.
        """
        now, instant = self._clock(), self._monotonic()
        if abs((now - self._cleaned[1]) - (instant - self._cleaned[0])) > JUMP:
            self._started = now
        dropped = self._attempt(lambda: self._store.drop_silent(now, self._retention, self._started))
        if dropped:
            log.info("dropped silent workers from the registry", extra={"said": {"workers": dropped}})
        if dropped != DROPPED:
            self._cleaned = (instant, now)

    def _attempt(self, write: Callable[[], T]) -> T | None:
        """Write; None if that failed, which `trouble` then tells, until something is written again."""
        attempted = isolated("registry", partial(_explained, write))
        value, error = attempted.value or (None, attempted.message)
        if error is not None and self.trouble is None:
            log.warning("the registry cannot be written: %s", error)
        if error is None and self.trouble is not None:
            self._started = self._clock()
            log.info("the registry is written again")
        self.trouble = error
        return value


def _explained(write: Callable[[], T]) -> tuple[T | None, str | None]:
    try:
        return write(), None
    except RegistryError as error:
        return None, str(error)
