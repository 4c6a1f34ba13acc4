"""The registry's workers, in a file: what is acknowledged is on disk, and every process that opens it sees the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from exporter import sqlite
from exporter.records.registry import Registered
from exporter.registry.batch import Batch, Held
from exporter.registry.kept import Kept
from exporter.registry.reader import Reader
from exporter.registry.request import Accepted, Goodbye, Heartbeats, Outcome, Refused, Request
from exporter.registry.rows import COLUMNS, INSERT, SILENT, UPDATE, beats, cells, registered
from exporter.registry.schema import FILE, KIND, TRIES, RegistryError, explaining, open_registry
from exporter.sqlite import Connect, connect

__all__ = ["Accepted", "Goodbye", "Heartbeats", "Outcome", "Refused", "RegistryError", "RegistryStore", "Request"]

REMEMBERED = 3600.0
"""Seconds for which it is known who departed: whoever keeps track of the workers is to see it, restarts and all."""

LISTENED = 1.0
"""Seconds of listening that may be lost in a crash while something is written anyway."""

DROPPED = 1000
"""The most silent workers that are dropped in one transaction."""

SIZES = tuple(2**power for power in range(9))
"""How many workers one statement is of: few sizes, so that SQLite need not parse each anew."""

T = TypeVar("T")


class RegistryStore:
    """An open registry. One thread writes, any thread reads. At most `most` workers, and `per_client` of each client.

    `heard` is when the registry last listened before it was opened, in Unix seconds, None where it never did.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        reader: Reader,
        most: int,
        per_client: int,
        tries: int,
        kept: Kept | None = None,
    ) -> None:
        self.path = path
        self._connection = connection
        self._reader = reader
        self._readers = [reader]
        self._most = most
        self._per_client = per_client
        self._tries = tries
        self._identity = sqlite.identity(path)
        self._listened = float("-inf")
        self._kept = Kept() if kept is None else kept
        self.heard = reader.heard()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        most: int,
        per_client: int,
        connect: Connect = connect,
        tries: int = TRIES,
        kept: Kept | None = None,
    ) -> RegistryStore:
        """Open the registry of a state directory, made where it is missing.

        A transaction that another process is in the way of is begun in so many `tries`, of some milliseconds each.
        Raises RegistryError for what is no sound registry of this version, or cannot be written.
        """
        path = folder / FILE
        connection = open_registry(path, connect, tries)
        reader = Reader(path, connect)
        try:
            return cls(path, connection, reader, most, per_client, tries, kept)
        except RegistryError:
            reader.close()
            connection.close()
            raise

    def reader(self) -> Reader:
        """Another connection to read on, for somebody who reads much; it is closed with the store."""
        reader = Reader(self.path)
        self._readers.append(reader)
        return reader

    def apply(self, requests: Sequence[Request], now: float) -> list[Outcome]:
        """Take requests at `now`, in Unix seconds, one after the other; what comes of each.

        When it returns, all of it is on disk; when it raises RegistryError, nothing is.
        """
        with self._writing() as connection:
            names = {name for request in requests for name in _names(request)}
            held = self._kept.of(connection, names)
            held |= self._held(list(names - held.keys()))
            batch = Batch(held, self._count, self._most, self._per_client)
            outcomes = [batch.take(request, now) for request in requests]
            connection.executemany(UPDATE, [(*row[1:], row[0]) for row in map(cells, batch.changed.values())])
            self._beat(list(batch.beaten.values()))
            connection.executemany("DELETE FROM worker WHERE worker_id = ?", [(name,) for name in batch.gone])
            self._remember(batch.gone, now)
            connection.executemany(INSERT, [(*cells(worker), client) for worker, client in batch.new.values()])
            if not 0 <= now - self._listened < LISTENED:
                self._listen(now)
        self._kept.keep(names, batch.there)
        return outcomes

    def find(self, worker_id: str) -> Registered | None:
        """One worker; None where there is none of this id."""
        return self._reader.find(worker_id)

    def page(self, after: int, limit: int) -> list[tuple[int, Registered]]:
        """The next workers behind a position, in the order in which they came, each with its position; 0 is first."""
        return self._reader.page(after, limit)

    def count(self) -> int:
        """How many workers there are."""
        return self._reader.count()

    def departed(self) -> tuple[str, ...]:
        """Who said goodbye or was dropped of late, and has not come back."""
        return self._reader.departed()

    def listen(self, now: float) -> None:
        """Write down that the registry listens at `now`, in Unix seconds; raises RegistryError."""
        with self._writing():
            self._listen(now)

    def drop_silent(self, now: float, retention: float, started: float) -> int:
        """Drop workers of which nothing was heard for `retention` seconds, counted from `started` at the earliest.

        Gives how many: where they are `DROPPED`, there may be more. Forgets who departed long ago, too. Times are Unix
        seconds. Raises RegistryError.
        """
        since = now - retention
        silent = self._reader.silent(since, DROPPED) if started < since else []
        with self._writing() as connection:
            delete = f"DELETE FROM worker WHERE worker_id = ? AND {SILENT}"
            dropped = [name for name in silent if connection.execute(delete, (name, since)).rowcount]
            self._remember(dropped, now)
            connection.execute("DELETE FROM departed WHERE at < ?", (now - REMEMBERED,))
            oldest = "SELECT worker_id FROM departed ORDER BY at DESC LIMIT -1 OFFSET ?"
            connection.execute(f"DELETE FROM departed WHERE worker_id IN ({oldest})", (self._most,))
            self._listen(now)
        self._kept.keep(dropped, {})
        return len(dropped)

    def close(self) -> None:
        """Let go of the file, once nobody reads."""
        for reader in self._readers:
            reader.close()
        self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        if sqlite.identity(self.path) != self._identity:
            raise RegistryError(sqlite.gone(self.path, KIND))
        try:
            with explaining(self.path), sqlite.transaction(self._connection, self._tries):
                yield self._connection
        except RegistryError:
            self._kept.forget()
            raise

    def _held(self, names: Sequence[str]) -> dict[str, Held]:
        """Those workers that there are, with their clients."""
        held: dict[str, Held] = {}
        for asked, size in _sized(names):
            wanted = ", ".join("?" * size)
            statement = f"SELECT {COLUMNS}, client FROM worker WHERE worker_id IN ({wanted})"
            for row in self._connection.execute(statement, [*asked, *[None] * (size - len(asked))]):
                held[row[0]] = (registered(row), row[13])
        return held

    def _beat(self, beaten: Sequence[Registered]) -> None:
        for some, size in _sized(beaten):
            said = [value for each in some for value in (each.worker_id, each.stats, each.last_heartbeat)]
            self._connection.execute(beats(size), said + [None] * (3 * (size - len(some))))

    def _count(self, client: str | None) -> int:
        """How many workers there are, of a client or in all."""
        if client is None:
            found = self._connection.execute("SELECT workers FROM total").fetchone()
        else:
            found = self._connection.execute("SELECT workers FROM tally WHERE client = ?", (client,)).fetchone()
        return int(found[0]) if found else 0

    def _remember(self, departed: Collection[str], now: float) -> None:
        rows = [(name, now) for name in departed]
        self._connection.executemany("INSERT OR REPLACE INTO departed VALUES (?, ?)", rows)

    def _listen(self, now: float) -> None:
        self._connection.execute("UPDATE heard SET at = ?", (now,))
        self._listened = now


def _names(request: Request) -> Iterator[str]:
    if isinstance(request.event, Heartbeats):
        yield from (beat.worker for beat in request.event.beats)
    else:
        yield request.event.worker


def _sized(workers: Sequence[T]) -> Iterator[tuple[Sequence[T], int]]:
    """Runs of what is of workers, each with the size of the statement that takes it: NULLs for those that it lacks."""
    for start in range(0, len(workers), SIZES[-1]):
        run = workers[start : start + SIZES[-1]]
        yield run, next(size for size in SIZES if size >= len(run))
