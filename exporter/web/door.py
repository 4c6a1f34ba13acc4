"""The web configuration at work: what the server's connections and requests pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from exporter.records.table import Tables
from exporter.web.current import Current
from exporter.web.guard import Guard
from exporter.web.logins import Logins


class Door:
    """The web configuration of a file, and what stands guard by it; raises ConfigError for one that cannot be used.

    `keyed` is the guard's.
    """

    def __init__(self, path: str, keyed: Callable[[str], bool]) -> None:
        self.current = Current(Path(path))
        self.guard = Guard(lambda: self.current.web, Logins(), keyed=keyed)

    def tables(self) -> Tables:
        """How the configuration was read, and what was refused by it."""
        return {**self.current.tables(), **self.guard.tables()}
