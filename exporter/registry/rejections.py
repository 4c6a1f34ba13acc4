"""How many requests the registry refused, by reason."""

from __future__ import annotations

from collections import Counter
from threading import Lock

from exporter.records import RegistryRejections
from exporter.records.table import Tables

REASONS = ("token", "host", "origin", "content_type", "body", "depth", "rate", "workers", "busy")
"""Why a request is refused: every one that there is."""


class Rejections:
    """Counts since the start of the process; safe for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[str] = Counter(dict.fromkeys(REASONS, 0))

    def count(self, reason: str) -> None:
        """Count a refusal; raises KeyError for what is no reason."""
        if reason not in self._counts:
            raise KeyError(reason)
        with self._lock:
            self._counts[reason] += 1

    def tables(self) -> Tables:
        """A row per reason, 0 where none was refused for it."""
        with self._lock:
            return {RegistryRejections: tuple(RegistryRejections(*each) for each in self._counts.items())}
