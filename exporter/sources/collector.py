"""What a collector is: a reader of this machine that fills tables, or raises `CollectorError`."""

from __future__ import annotations

from typing import Protocol

from exporter.records.table import Tables


class CollectorError(Exception):
    """A reading of this machine that failed; the message names the collector, what was expected and what was found."""


class Collector(Protocol):
    """Anything that reads this machine; one reading at a time."""

    name: str

    def read(self) -> Tables:
        """Fill every table that this collector owns, an empty one included; raises CollectorError."""
        ...
