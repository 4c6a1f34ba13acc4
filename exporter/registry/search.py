"""Finds workers in the registry's file, as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from exporter.registry.answers import WorkerJson, encoded
from exporter.registry.reader import Reader
from exporter.registry.schema import explaining
from exporter.registry.selection import COLUMNS, UNORDERED, Selection
from exporter.sqlite import Connect, connect

PAGE = 500
"""Workers that are read at once, so that nobody waits long for the interpreter."""

AT_ONCE = 2**25
"""Bytes of an answer that are made at one instant; what is behind them is read when the client has taken these."""

_FIELDS = ", ".join(COLUMNS.values())


class UnorderedError(Exception):
    """Workers were to be sorted by a field whose values have no order."""


class Found(NamedTuple):
    """How many workers match; JSON of the first of those asked for, in pieces; and the positions of the rest."""

    total: int
    pieces: list[bytes]
    rest: list[int]


class Search(Reader):
    """Answers questions on a connection of its own; safe for threads, which take turns."""

    def __init__(self, path: Path, connect: Connect = connect, at_once: int = AT_ONCE) -> None:
        super().__init__(path, connect)
        self._at_once = at_once

    def select(self, selection: Selection) -> Found:
        """Find workers as they are at one instant; raises UnorderedError and RegistryError."""
        where, given = selection.where()
        with self._lock, explaining(self._path):
            self._connection.execute("BEGIN")
            try:
                counted = self._connection.execute(f"SELECT count(*), count(stats) FROM worker WHERE {where}", given)
                total, with_stats = counted.fetchone()
                if selection.sort_by == UNORDERED and total > 1 and with_stats:
                    raise UnorderedError
                statement = f"SELECT position FROM worker WHERE {where} ORDER BY {selection.order()} LIMIT ? OFFSET ?"
                rows = self._connection.execute(statement, [*given, *selection.window()])
                rest = [position for (position,) in rows]
                pieces = []
                size = 0
                while rest and size < self._at_once:
                    page, rest = rest[:PAGE], rest[PAGE:]
                    pieces.append(self._page(page))
                    size += len(pieces[-1])
            finally:
                self._connection.execute("ROLLBACK")
        return Found(total, pieces, rest)

    def take(self, positions: list[int]) -> bytes:
        """The workers at these positions, at most `PAGE`, without those that are gone by now; raises RegistryError."""
        with self._lock, explaining(self._path):
            return self._page(positions)

    def _page(self, positions: list[int]) -> bytes:
        marks = ", ".join("?" * len(positions))
        rows = self._connection.execute(
            f"SELECT position, {_FIELDS} FROM worker WHERE position IN ({marks})", positions
        )
        workers = {row[0]: WorkerJson.of_row(row[1:]) for row in rows}
        return encoded([workers[position] for position in positions if position in workers])[1:-1]
