"""What tests of the ledger share: what fleets list, and connections that fail as a disk does."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from exporter import sqlite
from exporter.records import NodeMemory, NodeTransitions, WorkerMemory, WorkerTransitions
from exporter.records.table import Tables
from exporter.state.ledger import Ledger
from exporter.state.listing import Listing
from exporter.state.memory import Retention, Roster

HOUR = 3600.0


def mesh(states: Mapping[str, str | None], consoles: Mapping[str, str] | None = None) -> Listing:
    """A mesh of which some console was read."""
    notes = {("console", node): source for node, source in (consoles or {}).items()}
    return Listing({"node", "wakeable"}, {"node": Roster(states)}, notes)


def store(states: Mapping[str, str | None]) -> Listing:
    """A store that was read."""
    return Listing({"worker"}, {"worker": Roster(states)})


def opened(folder: Path, **more: object) -> Ledger:
    """The ledger of a folder, with the defaults."""
    return Ledger.open(folder, retention=Retention(HOUR, 1000), **more)  # type: ignore[arg-type]


def present(tables: Tables) -> dict[str, int]:
    """Presence by node and worker."""
    nodes = {row.node: row.present for row in tables.get(NodeMemory, ()) if isinstance(row, NodeMemory)}
    return nodes | {row.worker: row.present for row in tables.get(WorkerMemory, ()) if isinstance(row, WorkerMemory)}


def since(tables: Tables) -> dict[str, float | None]:
    """Since when each node and worker is as it is."""
    nodes = {row.node: row.since for row in tables.get(NodeMemory, ()) if isinstance(row, NodeMemory)}
    return nodes | {row.worker: row.since for row in tables.get(WorkerMemory, ()) if isinstance(row, WorkerMemory)}


def transitions(tables: Tables) -> dict[tuple[str, str], int]:
    """The transitions that were made, by state before and after."""
    rows = [*tables.get(NodeTransitions, ()), *tables.get(WorkerTransitions, ())]
    return {
        (row.from_, row.to): row.count
        for row in rows
        if isinstance(row, NodeTransitions | WorkerTransitions) and row.count
    }


class Disk:
    """Opens SQLite files that hold at most `pages` pages, or, if `read_only`, cannot be written."""

    def __init__(self) -> None:
        self.read_only = False
        self.connections: list[sqlite3.Connection] = []

    def __call__(self, name: str) -> sqlite3.Connection:
        if self.read_only:
            connection = sqlite3.connect(f"file:{name}?mode=ro", uri=True, isolation_level=None)
        else:
            connection = sqlite.connect(name)
        self.connections.append(connection)
        return connection

    def fill(self) -> None:
        """Leave no page that a file could grow by."""
        self._bound(1)

    def free(self) -> None:
        """Leave all the space there is."""
        self._bound(1_000_000)

    def _bound(self, pages: int) -> None:
        self.connections[-1].execute(f"PRAGMA max_page_count = {pages}")
