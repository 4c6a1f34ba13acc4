"""The ledger's file: SQLite with a write-ahead log, synced at every commit, one writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from exporter import sqlite
from exporter.sqlite import Connect, FileError, Kind, UnsoundError, UnwritableError, connect

FILE = "rollcall.db"

SCHEMA = """
CREATE TABLE held (
    kind TEXT NOT NULL, fleet TEXT NOT NULL, name TEXT NOT NULL, state TEXT, since REAL NOT NULL, gone REAL,
    ordinal INTEGER, PRIMARY KEY (kind, fleet, name)) WITHOUT ROWID;
CREATE TABLE steps (
    kind TEXT NOT NULL, fleet TEXT NOT NULL, origin TEXT NOT NULL, target TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (kind, fleet, origin, target)) WITHOUT ROWID;
CREATE TABLE notes (
    fleet TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (fleet, kind, name)) WITHOUT ROWID;
"""

KIND = Kind("ledger", 0x524F4C4C, 1, SCHEMA, "nothing remembered")
"""Its `application_id` is "ROLL"."""

HeldRow = tuple[str, str, str, str | None, float, float | None, int | None]
StepRow = tuple[str, str, str, str, int]
NoteRow = tuple[str, str, str, str]
Key = tuple[str, str, str]


class LedgerError(Exception):
    """A ledger that must not be used as it is; the text says which, what was expected and found, and the remedy."""


class Rows(NamedTuple):
    """Rows to write, and keys of rows to take away: of `held` (kind, fleet, name), of `notes` (fleet, kind, name)."""

    held: tuple[HeldRow, ...] = ()
    steps: tuple[StepRow, ...] = ()
    notes: tuple[NoteRow, ...] = ()
    forgotten: tuple[Key, ...] = ()
    unnoted: tuple[Key, ...] = ()


class Database:
    """An open ledger. Not safe for threads."""

    def __init__(self, path: Path, connection: sqlite3.Connection, connect: Connect = connect) -> None:
        self.path = path
        self._connection = connection
        self._connect = connect
        self._identity = sqlite.identity(path)

    @classmethod
    def open(cls, folder: Path, connect: Connect = connect) -> Database:
        """Open the ledger of a state directory, made where it is missing, and take its lock.

        Raises LedgerError for what is no sound ledger of this version, or is in use, UnwritableError where there is
        none and none can be made, or where it cannot even be read without being written.
        """
        path = folder / FILE
        try:
            return cls(path, sqlite.open_file(path, KIND, _prepare, connect), connect)
        except UnsoundError as error:
            raise LedgerError(str(error)) from None

    def is_there(self) -> bool:
        """Tell whether the file that was opened is still where it was."""
        return sqlite.identity(self.path) == self._identity

    def read(self) -> Rows:
        """Everything that is in it; raises LedgerError for what Rollcall never wrote."""
        found: list[tuple[object, ...]] = []
        for table in ("held", "steps", "notes"):
            try:
                found.append(tuple(self._connection.execute(f"SELECT * FROM {table}")))
            except sqlite3.Error as error:
                raise LedgerError(sqlite.explained(self.path, KIND, error)) from None
        try:
            return msgspec.convert(tuple(found), Rows)
        except msgspec.ValidationError as error:
            text = f"{self.path}: expected a ledger's rows, got others ({error}); {sqlite.away(self.path, KIND)}"
            raise LedgerError(text) from None

    def write(self, rows: Rows, *, everything: bool = False) -> None:
        """Write rows in one transaction, in place of `everything` if so; raises UnwritableError if nothing was.

        When it returns, the rows are on disk. Where the file was taken away, `everything` is written to a new one.
        """
        if not self.is_there():
            if not everything:
                raise UnwritableError(sqlite.gone(self.path, KIND))
            self._reopen()
        try:
            with sqlite.transaction(self._connection):
                if everything:
                    for table in ("held", "steps", "notes"):
                        self._connection.execute(f"DELETE FROM {table}")
                self._put(rows)
                # Setting the version writes the first page, so that a transaction without rows shows whether it can.
                self._connection.execute(f"PRAGMA user_version = {KIND.version}")
        except sqlite3.Error as error:
            raise UnwritableError(sqlite.explained(self.path, KIND, error)) from None

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _reopen(self) -> None:
        self._connection.close()
        try:
            self._connection = sqlite.open_file(self.path, KIND, _prepare, self._connect)
        except FileError as error:
            raise UnwritableError(str(error)) from None
        self._identity = sqlite.identity(self.path)

    def _put(self, rows: Rows) -> None:
        self._many("DELETE FROM held WHERE kind = ? AND fleet = ? AND name = ?", rows.forgotten)
        self._many("DELETE FROM notes WHERE fleet = ? AND kind = ? AND name = ?", rows.unnoted)
        self._many("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, ?, ?)", rows.held)
        self._many("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?)", rows.steps)
        self._many("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)", rows.notes)

    def _many(self, statement: str, rows: Sequence[tuple[str | float | None, ...]]) -> None:
        """Run a statement for each row; it may run twice for some, where one of them is no text that SQLite takes."""
        try:
            self._connection.executemany(statement, rows)
        except UnicodeEncodeError:
            self._connection.executemany(statement, _texts(rows))


def _prepare(connection: sqlite3.Connection) -> None:
    """Take the lock for as long as the connection lives, so that there is one writer."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _texts(rows: Iterable[tuple[str | float | None, ...]]) -> list[tuple[str | float | None, ...]]:
    """Rows as SQLite takes them: a lone surrogate, which has no UTF-8, becomes a question mark."""
    return [
        tuple(each.encode(errors="replace").decode() if isinstance(each, str) else each for each in row) for row in rows
    ]
