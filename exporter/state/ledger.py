"""The ledger: what is remembered of all fleets, in memory and, before anybody sees it, on disk."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from exporter.records import LedgerStatus
from exporter.records.table import Tables
from exporter.sqlite import Connect, UnwritableError, connect
from exporter.state.consoles import url_of
from exporter.state.database import Database, LedgerError, Rows
from exporter.state.history import History
from exporter.state.listing import Listing
from exporter.state.memory import KINDS, Change, Held, Recollection, Retention, Step
from exporter.state.memory_tables import MemoryTables
from exporter.state.notes import Notes, Recalled, from_notes

RETRY = 60.0
"""Seconds after which a ledger that could not be written is tried again."""

log = logging.getLogger("rollcall")

SOURCES = ("source", "console")
"""The kinds of notes that name a source."""

Key = tuple[str, str]


class Scope(NamedTuple):
    """What a configuration has of a fleet: kinds of things, and names of sources."""

    kinds: frozenset[str]
    sources: frozenset[str]


class Ledger:
    """What is remembered of the fleets that a configuration has. Not safe for threads: only the publisher's uses it.

    What it holds of others is forgotten. Without a database, and while that cannot be written, it goes on in memory.
    """

    def __init__(
        self,
        scopes: Mapping[str, Scope] | None = None,
        retention: Retention | None = None,
        database: Database | None = None,
    ) -> None:
        self._retention = retention or Retention()
        self._scopes = scopes
        self._database = database
        self._retry: tuple[float, float] | None = None
        self._parts: dict[Key, Recollection] = {}
        self._notes: dict[str, Notes] = {}
        self._recalled: dict[str, Recalled] = {}
        self._tables: dict[str, MemoryTables] = {}
        self._last = 0.0
        self.history = History()
        self.available = database is not None
        if database is not None:
            rows = database.read()
            self._take(database.path, rows)
            self._write(database, Rows(forgotten=tuple(self._foreign(rows)), unnoted=tuple(self._unnoted(rows))), 0.0)

    @classmethod
    def open(
        cls,
        folder: Path | None,
        scopes: Mapping[str, Scope] | None = None,
        retention: Retention | None = None,
        connect: Connect = connect,
    ) -> Ledger:
        """Open the ledger of a state directory; in memory, with a line in the log, where it cannot be written.

        `folder` is None where there is no place for one. Raises LedgerError for a file that must not be used as it is.
        """
        if folder is None:
            log.warning("the ledger is kept in memory only: there is no state directory; set --state.dir")
            return cls(scopes, retention)
        try:
            database = Database.open(folder, connect)
        except UnwritableError as error:
            log.warning("the ledger is kept in memory only: %s, and restart", error)
            return cls(scopes, retention)
        try:
            return cls(scopes, retention, database)
        except LedgerError:
            database.close()
            raise

    def recall(self, fleet: str) -> Recalled:
        """What the judgement of a fleet knew when the process ended: of its nodes those that had not left."""
        held = self._part("node", fleet).held
        states = {name: each.state for name, each in held.items() if each.state is not None and each.gone is None}
        return self._recalled.get(fleet, Recalled())._replace(states=states)

    def went_back(self, now: float) -> bool:
        """Tell whether the clock (Unix time) went back since the last call: all fleets must then be observed."""
        back, self._last = now < self._last, now
        return back

    def observe(self, listings: Mapping[str, Listing], now: float) -> dict[str, Tables]:
        """Take what fleets list at `now`, in Unix seconds, write what that changes, and give what to show of each.

        What is shown is on disk, unless the ledger is not available.
        """
        held, steps, forgotten, notes, unnoted = [], [], [], [], []
        for fleet, listing in listings.items():
            changes = {kind: self._part(kind, fleet).observe(roster, now) for kind, roster in listing.rosters.items()}
            for kind, change in changes.items():
                self.history.note(fleet, kind, change.moves if change else (), now)
                if change is not None:
                    held += [(kind, fleet, name, *each) for name, each in change.put.items()]
                    steps += self._step_rows(kind, fleet, change)
                    forgotten += [(kind, fleet, name) for name in change.forgotten]
                    self.history.drop(fleet, kind, change.forgotten)
            before = self._notes.get(fleet, {})
            if before != listing.notes:
                self._notes[fleet] = listing.notes
                notes += [(fleet, *key, text) for key, text in listing.notes.items() if before.get(key) != text]
                unnoted += [(fleet, *key) for key in before.keys() - listing.notes.keys()]
        self._keep(Rows(tuple(held), tuple(steps), tuple(notes), tuple(forgotten), tuple(unnoted)), now)
        return {fleet: self._shown(fleet, listing) for fleet, listing in listings.items()}

    def rescope(self, scopes: Mapping[str, Scope], retention: Retention, now: float) -> None:
        """Go on with another configuration from `now`, in Unix seconds; what it took out leaves no tombstone."""
        before, self._scopes, self._retention = self._scopes or {}, scopes, retention
        forgotten = []
        for (kind, fleet), part in self._parts.items():
            if self._has(fleet, kind):
                less = before.get(fleet, scopes[fleet]).sources - scopes[fleet].sources
                part.go_on(retention, part.held if less else ())
            else:
                forgotten += [(kind, fleet, name) for name in part.held]
                self._parts[kind, fleet] = Recollection(kind, retention, steps=part.steps)
        unnoted = [(fleet, *key) for fleet, notes in self._notes.items() if not self._has(fleet) for key in notes]
        for fleet in {fleet for fleet, _, _ in unnoted} | (before.keys() - scopes.keys()):
            self._notes.pop(fleet, None)
            self._recalled.pop(fleet, None)
            self.history.forget(fleet)
        self._tables.clear()
        self._keep(Rows(forgotten=tuple(forgotten), unnoted=tuple(unnoted)), now)

    def tables(self) -> Tables:
        """Whether what is remembered is on disk."""
        return {LedgerStatus: (LedgerStatus(int(self.available)),)}

    def close(self) -> None:
        """Let go of the file; nothing is written afterwards."""
        if self._database is not None:
            self._database.close()
        self._database = None

    def _part(self, kind: str, fleet: str) -> Recollection:
        part = self._parts.get((kind, fleet))
        if part is None:
            part = self._parts[kind, fleet] = Recollection(kind, self._retention)
        return part

    def _shown(self, fleet: str, listing: Listing) -> Tables:
        tables = self._tables.setdefault(fleet, MemoryTables(fleet))
        return tables.of(listing, {kind: self._part(kind, fleet) for kind in KINDS})

    def _keep(self, rows: Rows, now: float) -> None:
        """Write rows; where the file is gone, and some time after a failure, all that is remembered."""
        if self._database is None:
            return
        if self._retry is None and self._database.is_there():
            if any(rows):
                self._write(self._database, rows, now)
        elif self._retry is None:
            log.warning("%s was taken away: what is remembered is written to a new one", self._database.path)
            self._write(self._database, self._everything(), now, everything=True)
        elif not self._retry[0] <= now < self._retry[1]:
            self._write(self._database, self._everything(), now, everything=True)

    def _write(self, database: Database, rows: Rows, now: float, *, everything: bool = False) -> None:
        try:
            database.write(rows, everything=everything)
        except UnwritableError as error:
            if self.available:
                log.warning("the ledger is kept in memory only: %s", error)
            self.available, self._retry = False, (now, now + RETRY)
            return
        if not self.available:
            log.info("the ledger is on disk again")
        self.available, self._retry = True, None

    def _take(self, path: Path, rows: Rows) -> None:
        """Take over what the file holds of the fleets that there are."""
        held: dict[Key, dict[str, Held]] = {}
        for kind, fleet, name, state, since, gone, ordinal in rows.held:
            held.setdefault((kind, fleet), {})[name] = Held(state, since, gone, ordinal)
        steps: dict[Key, dict[Step, int]] = {}
        for kind, fleet, origin, target, count in rows.steps:
            steps.setdefault((kind, fleet), {})[origin, target] = count
        notes: dict[str, dict[tuple[str, str], str]] = {}
        for fleet, kind, name, text in rows.notes:
            notes.setdefault(fleet, {})[kind, name] = text
        for fleet, texts in notes.items():
            if self._has(fleet):
                self._notes[fleet] = texts
                self._recalled[fleet] = self._recall(path, texts, self._sources(fleet, texts))
        for kind, fleet in held.keys() | steps.keys():
            mine = held.get((kind, fleet), {}) if self._has(fleet, kind) else {}
            passing = self._unpolled(fleet, mine) if kind == "node" else ()
            self._parts[kind, fleet] = Recollection(kind, self._retention, mine, steps.get((kind, fleet)), passing)

    @staticmethod
    def _recall(path: Path, notes: Notes, sources: Collection[str]) -> Recalled:
        try:
            return from_notes(notes, sources)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            text = f"{path}: expected a ledger's notes, got others ({error}); move {path}* away"
            raise LedgerError(f"{text} to start with nothing remembered") from None

    def _has(self, fleet: str, kind: str | None = None) -> bool:
        if self._scopes is None:
            return True
        scope = self._scopes.get(fleet)
        return scope is not None and (kind is None or kind in scope.kinds)

    def _sources(self, fleet: str, notes: Notes) -> Collection[str]:
        return set(map(url_of, notes.values())) if self._scopes is None else self._scopes[fleet].sources

    def _unpolled(self, fleet: str, held: Mapping[str, Held]) -> frozenset[str]:
        """Nodes that may be missing because a source was taken out of the configuration: then all of the fleet."""
        if self._scopes is None or fleet not in self._scopes:
            return frozenset()
        notes = self._notes.get(fleet, {})
        noted = {url_of(text) if kind == "console" else name for (kind, name), text in notes.items() if kind in SOURCES}
        return frozenset(held if noted - self._scopes[fleet].sources else ())

    def _foreign(self, rows: Rows) -> Iterator[tuple[str, str, str]]:
        return ((kind, fleet, name) for kind, fleet, name, *_ in rows.held if not self._has(fleet, kind))

    def _unnoted(self, rows: Rows) -> Iterator[tuple[str, str, str]]:
        return ((fleet, kind, name) for fleet, kind, name, _ in rows.notes if not self._has(fleet))

    def _step_rows(self, kind: str, fleet: str, change: Change) -> list[tuple[str, str, str, str, int]]:
        steps = self._part(kind, fleet).steps
        return [(kind, fleet, *step, steps[step]) for step in change.steps]

    def _everything(self) -> Rows:
        parts = self._parts.items()
        return Rows(
            tuple((*key, name, *each) for key, part in parts for name, each in part.held.items()),
            tuple((*key, *step, count) for key, part in parts for step, count in part.steps.items()),
            tuple((fleet, *key, text) for fleet, notes in self._notes.items() for key, text in notes.items()),
        )
