"""SQLite files that must not be lost: made whole or not at all, checked when opened, explained in one line."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

WAIT = 2.0
"""Seconds to wait for another process to let go of a file."""

UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR)

Connect = Callable[[str], sqlite3.Connection]
"""Opens a file, creating it where it is missing."""


class FileError(Exception):
    """A file that cannot be used; the text says which, what was expected and found, and the remedy."""


class UnsoundError(FileError):
    """A file that must not be used as it is."""


class UnwritableError(FileError):
    """A file that cannot be written."""


class Kind(NamedTuple):
    """A kind of file: what it is called, what SQLite's `application_id` and `user_version` must be, and its schema.

    `lost` is what a new one starts with.
    """

    name: str
    application: int
    version: int
    schema: str
    lost: str


def connect(name: str) -> sqlite3.Connection:
    """Open a file for whichever thread uses it, one at a time; every transaction is begun by name."""
    return sqlite3.connect(name, timeout=WAIT, isolation_level=None, check_same_thread=False)


def open_file(
    path: Path, kind: Kind, prepare: Callable[[sqlite3.Connection], None], connect: Connect = connect
) -> sqlite3.Connection:
    """Open a file, made where it is missing, `prepare` its connection, and check it.

    A new file is prepared before others can see it: SQLite changes a `journal_mode` only while nobody else has it open.

    Raises UnsoundError for what is no sound file of this kind and version, or is in use, UnwritableError where there is
    none and none can be made, or where it cannot even be read without being written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with _alone(path.parent):
                if not path.exists():
                    _create(path, kind, prepare, connect)
        elif not path.stat().st_size:
            raise UnsoundError(f"{path}: expected a {kind.name}, got an empty file; {away(path, kind)}")
    except OSError as error:
        raise UnwritableError(_unwritable(path, error.strerror or "an error")) from None
    except sqlite3.Error as error:
        raise UnwritableError(explained(path, kind, error)) from None
    return _checked(path, kind, prepare, connect)


def _checked(
    path: Path, kind: Kind, prepare: Callable[[sqlite3.Connection], None], connect: Connect
) -> sqlite3.Connection:
    try:
        connection = connect(str(path))
    except sqlite3.Error as error:
        raise UnwritableError(explained(path, kind, error)) from None
    try:
        prepare(connection)
        _check(path, kind, connection)
    except sqlite3.Error as error:
        connection.close()
        writable = code(error) not in (*UNWRITABLE, sqlite3.SQLITE_FULL)
        raise (UnsoundError if writable else UnwritableError)(explained(path, kind, error)) from None
    except UnsoundError:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, tries: int = 1) -> Iterator[None]:
    """A transaction that writes: committed at the end, rolled back if anything is raised on the way.

    It is begun in so many tries, each as long as the connection's `busy_timeout`.
    """
    while tries := tries - 1:
        try:
            connection.execute("BEGIN IMMEDIATE")
            break
        except sqlite3.OperationalError as error:
            if code(error) != sqlite3.SQLITE_BUSY:
                raise
    else:
        connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def identity(path: Path) -> tuple[int, int] | None:
    """Tell a file from another one of its name: by device and inode; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def gone(path: Path, kind: Kind) -> str:
    """What is wrong where a file was taken away, or another one put in its place, while it was open."""
    return f"{path}: expected the {kind.name} that was opened, got another file or none; restart"


def explained(path: Path, kind: Kind, error: sqlite3.Error) -> str:
    """One line on what is wrong with a file, and what to do about it."""
    match code(error):
        case sqlite3.SQLITE_FULL:
            return f"{path}: expected space to write, got a full disk; free some"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"{path}: expected a {kind.name} of its own, got one in use by another Rollcall; set --state.dir"
        case found if found in UNWRITABLE:
            return _unwritable(path, str(error))
        case _:
            text = f"{path}: expected a {kind.name}, got a file that is corrupt or something else ({error})"
            return f"{text}; {away(path, kind)}"


def code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; -1 for errors of Python's own."""
    found: int = getattr(error, "sqlite_errorcode", -1)
    return found & 0xFF if found >= 0 else found


def away(path: Path, kind: Kind) -> str:
    """The remedy for a file that cannot be used any more."""
    return f"restore it from a backup, or move {path}* away to start with {kind.lost}"


def _unwritable(path: Path, why: str) -> str:
    who = f"user {os.geteuid()}"
    return f"{path}: expected a writable file, got: {why}; make it writable for {who}, or set --state.dir"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from making a file in a folder meanwhile."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _create(path: Path, kind: Kind, prepare: Callable[[sqlite3.Connection], None], connect: Connect) -> None:
    """Make an empty file under another name, and give it its own once it is whole and on disk.

    A log without its file is the rest of one that was moved away: SQLite would replay it into the new one.
    """
    new = path.with_name(path.name + ".new")
    for rest in (new, *(Path(f"{stem}{end}") for stem in (path, new) for end in ("-wal", "-shm", "-journal"))):
        rest.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = connect(str(new))
    try:
        connection.executescript(
            f"BEGIN; {kind.schema} PRAGMA application_id = {kind.application}; "
            f"PRAGMA user_version = {kind.version}; COMMIT;"
        )
        prepare(connection)
    finally:
        connection.close()
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(path: Path, kind: Kind, connection: sqlite3.Connection) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != kind.application:
        raise UnsoundError(f"{path}: expected a {kind.name}, got another program's database; {away(path, kind)}")
    if version > kind.version:
        raise UnsoundError(
            f"{path}: expected a {kind.name} of version {kind.version}, got {version}, of a newer Rollcall; "
            f"run that one, or move {path}* away to start with {kind.lost}"
        )
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        text = " ".join(str(found).split())
        raise UnsoundError(f"{path}: expected a sound {kind.name}, got a corrupt one ({text}); {away(path, kind)}")
