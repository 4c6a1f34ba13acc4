"""Reads this machine when Prometheus asks, each collector in a thread of its own and never twice at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread

from exporter.isolate import Attempted, isolated
from exporter.records import CollectorReading, CollectorUnread
from exporter.records.table import Record, Tables
from exporter.sources.collector import Collector

Answer = Future[Attempted[Tables]]


class Reader:
    """One collector's thread; whoever asks while a reading is under way gets that reading."""

    def __init__(self, collector: Collector, clock: Callable[[], float]) -> None:
        self.name = collector.name
        self._read = collector.read
        self._clock = clock
        self._lock = Lock()
        self._asked: SimpleQueue[Answer] = SimpleQueue()
        self._pending: Answer | None = None
        self._asked_at = 0.0
        Thread(target=self._read_for_ever, name=f"collector {self.name}", daemon=True).start()

    def ask(self) -> Answer:
        """Ask for a reading; a collector that hangs leaves the answer open until it comes back."""
        with self._lock:
            if self._pending is None:
                self._pending = Future()
                self._asked_at = self._clock()
                self._asked.put(self._pending)
            return self._pending

    def hangs(self, timeout: float) -> bool:
        """Tell whether a reading has been under way for longer than `timeout` seconds: nobody need wait for it."""
        with self._lock:
            return self._pending is not None and self._clock() - self._asked_at > timeout

    def _read_for_ever(self) -> None:
        while True:
            answer = self._asked.get()
            attempted = isolated(self.name, self._read)
            with self._lock:
                self._pending = None
            answer.set_result(attempted)


class Collection:
    """All collectors of this machine under one deadline of `timeout` seconds; one that is late is left out.

    `log` is told a collector's name and what it suffers from, once, and an empty message when it is well again.
    """

    def __init__(
        self,
        collectors: Sequence[Collector],
        timeout: float,
        log: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._readers = [Reader(collector, clock) for collector in collectors]
        self._timeout = timeout
        self._log = log
        self._messages: dict[str, str] = {}

    async def read(self) -> Tables:
        """Read everything; the tables of what succeeded, and a `CollectorReading` for each collector.

        `CollectorUnread` is the one table that several collectors may fill.
        """
        asked = {
            reader.name: None if reader.hangs(self._timeout) else asyncio.wrap_future(reader.ask())
            for reader in self._readers
        }
        under_way = [answer for answer in asked.values() if answer is not None]
        if under_way:
            await asyncio.wait(under_way, timeout=self._timeout)
        tables: Tables = {}
        readings = []
        unread: list[Record] = []
        for name, answer in asked.items():
            late = Attempted[Tables](None, "timeout", f"no answer within {self._timeout:g} s", self._timeout)
            attempted = answer.result() if answer is not None and answer.done() else late
            self._say(name, attempted.message)
            tables.update(attempted.value or {})
            unread += tables.pop(CollectorUnread, ())
            readings.append(CollectorReading(name, int(attempted.value is not None), attempted.seconds))
        return {**tables, CollectorReading: tuple(readings), CollectorUnread: tuple(unread)}

    def _say(self, name: str, message: str) -> None:
        """Log what a collector suffers from when it begins, and its end (an empty message)."""
        if self._messages.get(name, "") != message:
            self._log(name, message)
        self._messages[name] = message
