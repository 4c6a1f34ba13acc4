"""The registry's file: its tables, and how they are opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from exporter import sqlite
from exporter.sqlite import Connect, FileError, Kind, UnsoundError

FILE = "registry.db"

SCHEMA = """
CREATE TABLE worker (
    position INTEGER PRIMARY KEY AUTOINCREMENT, worker_id TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
    last_heartbeat REAL, last_dequeue REAL, last_busy REAL, last_idle REAL, rollout TEXT, attempt TEXT,
    last_rollout TEXT, last_attempt TEXT, attempt_status TEXT, finished TEXT, client TEXT NOT NULL, stats BLOB);
CREATE TABLE departed (worker_id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX departed_at ON departed (at);
CREATE TABLE tally (client TEXT PRIMARY KEY, workers INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE total (workers INTEGER NOT NULL);
INSERT INTO total VALUES (0);
CREATE TABLE heard (at REAL);
INSERT INTO heard VALUES (NULL);
CREATE TRIGGER came AFTER INSERT ON worker BEGIN
    DELETE FROM departed WHERE worker_id = NEW.worker_id;
    UPDATE total SET workers = workers + 1;
    INSERT OR IGNORE INTO tally VALUES (NEW.client, 0);
    UPDATE tally SET workers = workers + 1 WHERE client = NEW.client;
END;
CREATE TRIGGER went AFTER DELETE ON worker BEGIN
    UPDATE total SET workers = workers - 1;
    UPDATE tally SET workers = workers - 1 WHERE client = OLD.client;
    DELETE FROM tally WHERE client = OLD.client AND workers <= 0;
END;
"""
"""`worker` in the order in which workers came; `departed`: who said goodbye or was dropped, and when.

`tally` counts the workers of each client, `total` all. `heard` is when the registry last listened.
"""

TABLES = ("worker", "departed", "tally", "total", "heard")

KIND = Kind("registry", 0x524F4C52, 1, SCHEMA, "no workers")
"""Its `application_id` is "ROLR"."""

POLL = 5
"""Milliseconds that SQLite itself waits for another writer: it looks less and less often, and never has its turn."""

TRIES = 2000
"""How often a writer tries, for `POLL` each: for 10 s."""

LOG = 16 * 2**20
"""Bytes that the write-ahead log keeps after a checkpoint."""


class RegistryError(FileError):
    """A registry that cannot be used."""


class UnsoundRegistryError(RegistryError):
    """A registry that must not be used as it is."""


def open_registry(path: Path, connect: Connect, tries: int) -> sqlite3.Connection:
    """Open the registry, made where it is missing; raises RegistryError, also where it cannot be written.

    Where another process is in the way, it `tries` as often as a writer does.
    """
    try:
        connection = sqlite.open_file(path, KIND, _prepare, connect)
    except UnsoundError as error:
        raise UnsoundRegistryError(str(error)) from None
    except FileError as error:
        raise RegistryError(str(error)) from None
    try:
        for table in TABLES:
            connection.execute(f"SELECT * FROM {table} LIMIT 0")
    except sqlite3.Error as error:
        connection.close()
        raise UnsoundRegistryError(sqlite.explained(path, KIND, error)) from None
    try:
        connection.execute(f"PRAGMA busy_timeout = {POLL}")
        with sqlite.transaction(connection, tries):
            # Setting the version writes the first page, which shows whether the file can be written.
            connection.execute(f"PRAGMA user_version = {KIND.version}")
    except sqlite3.Error as error:
        connection.close()
        raise RegistryError(sqlite.explained(path, KIND, error)) from None
    return connection


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Make a RegistryError of whatever SQLite raises, and of rows that Rollcall never wrote."""
    try:
        yield
    except sqlite3.Error as error:
        raise RegistryError(sqlite.explained(path, KIND, error)) from None
    except msgspec.DecodeError as error:
        text = f"{path}: expected a registry's rows, got others ({error})"
        raise RegistryError(f"{text}; {sqlite.away(path, KIND)}") from None
    except UnicodeEncodeError:
        raise RegistryError(f"{path}: expected text that has a UTF-8 form, got a lone surrogate") from None


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {LOG}")
