"""Reads the registry's file, on a connection of its own: nobody waits for a writer, nor a writer for it."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from exporter.records.registry import Registered
from exporter.registry.rows import COLUMNS, SILENT, registered
from exporter.registry.schema import explaining
from exporter.sqlite import Connect, connect


class Reader:
    """Reads what was committed; safe for threads, which take turns. Everything raises RegistryError."""

    def __init__(self, path: Path, connect: Connect = connect) -> None:
        self._path = path
        self._lock = Lock()
        with explaining(self._path):
            self._connection = connect(str(path))
            self._connection.execute("PRAGMA query_only = 1")

    def find(self, worker_id: str) -> Registered | None:
        """One worker; None where there is none of this id."""
        with self._lock, explaining(self._path):
            found = self._connection.execute(f"SELECT {COLUMNS} FROM worker WHERE worker_id = ?", (worker_id,))
            row = found.fetchone()
            return None if row is None else registered(row)

    def page(self, after: int, limit: int) -> list[tuple[int, Registered]]:
        """The next workers behind a position, in the order in which they came, each with its position; 0 is first."""
        statement = f"SELECT {COLUMNS}, position FROM worker WHERE position > ? ORDER BY position LIMIT ?"
        with self._lock, explaining(self._path):
            return [(row[13], registered(row)) for row in self._connection.execute(statement, (after, limit))]

    def count(self) -> int:
        """How many workers there are."""
        with self._lock, explaining(self._path):
            (count,) = self._connection.execute("SELECT workers FROM total").fetchone()
            return int(count)

    def departed(self) -> tuple[str, ...]:
        """Who said goodbye or was dropped of late, and has not come back."""
        with self._lock, explaining(self._path):
            return tuple(row[0] for row in self._connection.execute("SELECT worker_id FROM departed"))

    def heard(self) -> float | None:
        """When the registry last listened, in Unix seconds; None where it never did."""
        with self._lock, explaining(self._path):
            (at,) = self._connection.execute("SELECT at FROM heard").fetchone()
            return None if at is None else float(at)

    def silent(self, since: float, limit: int) -> list[str]:
        """Workers of which nothing was heard since an instant, in Unix seconds."""
        with self._lock, explaining(self._path):
            statement = f"SELECT worker_id FROM worker WHERE {SILENT} LIMIT ?"
            return [row[0] for row in self._connection.execute(statement, (since, limit))]

    def close(self) -> None:
        """Let go of the file, once nobody reads."""
        with self._lock:
            self._connection.close()
