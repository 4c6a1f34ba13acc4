"""Workers as the registry's file has them, so that who beats again is not looked up again."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

from exporter.registry.batch import Held

ROOM = 32 * 2**20
"""Bytes that are kept at most; 20,000 workers that send usual snapshots take so many."""

EACH = 800
"""Bytes that a worker takes beside its snapshot, about."""


class Kept:
    """What one connection read or wrote, for as long as no other one has changed the file. For one thread.

    Nothing of a transaction may be kept before it is committed; who cannot tell whether it was forgets everything.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._held: dict[str, Held] = {}
        self._bytes = 0
        self._version: int | None = None

    def __len__(self) -> int:
        """How many workers are kept."""
        return len(self._held)

    def of(self, connection: sqlite3.Connection, names: Collection[str]) -> dict[str, Held]:
        """Those of some workers that are kept; asked in a transaction, whose connection is always the same one.

        Another connection that has committed a change to the file makes another `data_version`
        (https://sqlite.org/pragma.html#pragma_data_version).
        """
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self.forget()
            self._version = version
        held = self._held
        return {name: held[name] for name in names if name in held}

    def keep(self, names: Collection[str], there: Mapping[str, Held]) -> None:
        """Keep, of some workers, those that are there now, and none that is not."""
        for name in names:
            before = self._held.pop(name, None)
            if before is not None:
                self._bytes -= _size(before)
            now = there.get(name)
            if now is not None:
                self._held[name] = now
                self._bytes += _size(now)
        if self._bytes > self._room:
            self.forget()

    def forget(self) -> None:
        """Keep nothing."""
        self._held.clear()
        self._bytes = 0


def _size(held: Held) -> int:
    stats = held[0].stats
    return EACH if stats is None else EACH + len(stats)
