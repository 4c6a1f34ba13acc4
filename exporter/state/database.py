"""The ledger's file: SQLite with a write-ahead log, synced at every commit, one writer."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

FILE = "rollcall.db"
APPLICATION = 0x524F4C4C
"""What SQLite's `application_id` must be: "ROLL"."""

VERSION = 1
"""The schema's version, SQLite's `user_version`."""

WAIT = 2.0
"""Seconds to wait for another process to let go of the file."""

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

UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR)

Connect = Callable[[str], sqlite3.Connection]
"""Opens a file, creating it where it is missing."""

HeldRow = tuple[str, str, str, str | None, float, float | None, int | None]
StepRow = tuple[str, str, str, str, int]
NoteRow = tuple[str, str, str, str]
Key = tuple[str, str, str]


class LedgerError(Exception):
    """A ledger that must not be used as it is; the text says which, what was expected and found, and the remedy."""


class UnwritableError(Exception):
    """A ledger that cannot be written; the text says which, why, and the remedy."""


class Rows(NamedTuple):
    """Rows to write, and keys of rows to take away: of `held` (kind, fleet, name), of `notes` (fleet, kind, name)."""

    held: tuple[HeldRow, ...] = ()
    steps: tuple[StepRow, ...] = ()
    notes: tuple[NoteRow, ...] = ()
    forgotten: tuple[Key, ...] = ()
    unnoted: tuple[Key, ...] = ()


def connect(name: str) -> sqlite3.Connection:
    """Open a file for whichever thread uses it, one at a time; every transaction is begun by name."""
    return sqlite3.connect(name, timeout=WAIT, isolation_level=None, check_same_thread=False)


class Database:
    """An open ledger. Not safe for threads."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, folder: Path, connect: Connect = connect) -> Database:
        """Open the ledger of a state directory, made where it is missing, and take its lock.

        Raises LedgerError for what is no sound ledger of this version, or is in use, UnwritableError where there is
        none and none can be made, or where it cannot even be read without being written.
        """
        path = folder / FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                _create(path, connect)
            elif not path.stat().st_size:
                raise LedgerError(f"{path}: expected a ledger, got an empty file; {_away(path)}")
        except OSError as error:
            raise UnwritableError(_unwritable(path, error.strerror or "an error")) from None
        except sqlite3.Error as error:
            raise UnwritableError(explained(path, error)) from None
        return cls._checked(path, connect)

    @classmethod
    def _checked(cls, path: Path, connect: Connect) -> Database:
        try:
            connection = connect(str(path))
        except sqlite3.Error as error:
            raise UnwritableError(explained(path, error)) from None
        try:
            _prepare(connection)
            _check(path, connection)
        except sqlite3.Error as error:
            connection.close()
            writable = _code(error) not in (*UNWRITABLE, sqlite3.SQLITE_FULL)
            raise (LedgerError if writable else UnwritableError)(explained(path, error)) from None
        except LedgerError:
            connection.close()
            raise
        return cls(path, connection)

    def read(self) -> Rows:
        """Everything that is in it; raises LedgerError for what Rollcall never wrote."""
        found: list[tuple[object, ...]] = []
        for table in ("held", "steps", "notes"):
            try:
                found.append(tuple(self._connection.execute(f"SELECT * FROM {table}")))
            except sqlite3.Error as error:
                raise LedgerError(explained(self.path, error)) from None
        try:
            return msgspec.convert(tuple(found), Rows)
        except msgspec.ValidationError as error:
            text = f"{self.path}: expected a ledger's rows, got others ({error}); {_away(self.path)}"
            raise LedgerError(text) from None

    def write(self, rows: Rows, *, everything: bool = False) -> None:
        """Write rows in one transaction, in place of `everything` if so; raises UnwritableError if nothing was.

        When it returns, the rows are on disk.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            if everything:
                for table in ("held", "steps", "notes"):
                    self._connection.execute(f"DELETE FROM {table}")
            self._put(rows)
            # Setting the version writes the first page, so that a transaction without rows shows whether it can.
            self._connection.execute(f"PRAGMA user_version = {VERSION}")
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise UnwritableError(explained(self.path, error)) from None

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _put(self, rows: Rows) -> None:
        many = self._connection.executemany
        many("DELETE FROM held WHERE kind = ? AND fleet = ? AND name = ?", _texts(rows.forgotten))
        many("DELETE FROM notes WHERE fleet = ? AND kind = ? AND name = ?", _texts(rows.unnoted))
        many("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, ?, ?)", _texts(rows.held))
        many("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?)", _texts(rows.steps))
        many("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)", _texts(rows.notes))

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                return


def explained(path: Path, error: sqlite3.Error) -> str:
    """One line on what is wrong with a ledger, and what to do about it."""
    match _code(error):
        case sqlite3.SQLITE_FULL:
            return f"{path}: expected space to write, got a full disk; free some"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"{path}: expected a ledger of its own, got one in use by another Rollcall; set --state.dir"
        case code if code in UNWRITABLE:
            return _unwritable(path, str(error))
        case _:
            return f"{path}: expected a ledger, got a file that is corrupt or something else ({error}); {_away(path)}"


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; -1 for errors of Python's own."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code


def _unwritable(path: Path, why: str) -> str:
    who = f"user {os.geteuid()}"
    return f"{path}: expected a writable file, got: {why}; make it writable for {who}, or set --state.dir"


def _away(path: Path) -> str:
    return f"restore it from a backup, or move {path}* away to start with nothing remembered"


def _create(path: Path, connect: Connect) -> None:
    """Make an empty ledger under another name, and give it its own once it is whole and on disk.

    A log without its file is the rest of a ledger that was moved away: SQLite would replay it into the new one.
    """
    new = path.with_name(path.name + ".new")
    for rest in (new, *(Path(f"{stem}{end}") for stem in (path, new) for end in ("-wal", "-shm", "-journal"))):
        rest.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = connect(str(new))
    try:
        connection.executescript(
            f"BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        )
    finally:
        connection.close()
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _prepare(connection: sqlite3.Connection) -> None:
    """Take the lock for as long as the connection lives, so that there is one writer."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _check(path: Path, connection: sqlite3.Connection) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise LedgerError(f"{path}: expected a ledger, got another program's database; {_away(path)}")
    if version > VERSION:
        raise LedgerError(
            f"{path}: expected a ledger of version {VERSION}, got {version}, of a newer Rollcall; run that one, "
            f"or move {path}* away to start with nothing remembered"
        )
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        text = " ".join(str(found).split())
        raise LedgerError(f"{path}: expected a sound ledger, got a corrupt one ({text}); {_away(path)}")


def _texts(rows: Iterable[tuple[str | float | None, ...]]) -> list[tuple[str | float | None, ...]]:
    """Rows as SQLite takes them: a lone surrogate, which has no UTF-8, becomes a question mark."""
    return [
        tuple(each.encode(errors="replace").decode() if isinstance(each, str) else each for each in row) for row in rows
    ]
