"""Reads this machine when Prometheus asks, each collector in a thread of its own and never twice at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread

from exporter.isolate import Attempted, isolated
from exporter.records import CollectorReading
from exporter.records.table import Tables
from exporter.sources.collector import Collector

Answer = Future[Attempted[Tables]]


class Reader:
    """One collector's thread; whoever asks while a reading is under way gets that reading."""

    def __init__(self, collector: Collector) -> None:
        self.name = collector.name
        self._read = collector.read
        self._lock = Lock()
        self._asked: SimpleQueue[Answer] = SimpleQueue()
        self._pending: Answer | None = None
        Thread(target=self._read_for_ever, name=f"collector {self.name}", daemon=True).start()

    def ask(self) -> Answer:
        """Ask for a reading; a collector that hangs leaves the answer open until it comes back."""
        with self._lock:
            if self._pending is None:
                self._pending = Future()
                self._asked.put(self._pending)
            return self._pending

    def _read_for_ever(self) -> None:
        while True:
            answer = self._asked.get()
            attempted = isolated(self.name, self._read)
            with self._lock:
                self._pending = None
            answer.set_result(attempted)


class Collection:
    """All collectors of this machine under one deadline of `timeout` seconds; one that is late is left out."""

    def __init__(self, collectors: Sequence[Collector], timeout: float, log: Callable[[str, str], None]) -> None:
        self._readers = [Reader(collector) for collector in collectors]
        self._timeout = timeout
        self._log = log

    async def read(self) -> Tables:
        """Read everything; the tables of what succeeded, and a `CollectorReading` for each collector."""
        asked = {reader.name: asyncio.wrap_future(reader.ask()) for reader in self._readers}
        if asked:
            await asyncio.wait(asked.values(), timeout=self._timeout)
        tables: Tables = {}
        readings = []
        for name, answer in asked.items():
            late = Attempted[Tables](None, "timeout", f"no answer within {self._timeout:g} s", self._timeout)
            attempted = answer.result() if answer.done() else late
            if attempted.value is None:
                self._log(name, attempted.message)
            else:
                tables.update(attempted.value)
            readings.append(CollectorReading(name, int(attempted.value is not None), attempted.seconds))
        return {**tables, CollectorReading: tuple(readings)}
