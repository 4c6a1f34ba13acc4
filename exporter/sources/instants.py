"""When the snapshots of workers were taken, as they say it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime


class Instants:
    """When snapshots were taken, in seconds since the epoch, and whether they said so with a zone.

    A time without a zone is taken for UTC, a number for Unix time. Text that is no ISO 8601 time is "not said", and
    drift. Many workers of a page say the same second, and the same names of hosts and systems. `odd` counts snapshots
    of which something was left out.
    """

    def __init__(self, drift: Counter[str]) -> None:
        self._known: dict[str, tuple[float | None, bool]] = {}
        self.drift = drift
        self.names: dict[str | None, str | None] = {}
        self.odd = 0

    def of(self, said: str | float | None) -> tuple[float | None, bool]:
        """Decode a snapshot's time; None where it is not said."""
        if not isinstance(said, str):
            return said, said is not None
        found = self._known.get(said)
        if found is None:
            found = self._known[said] = _instant(said)
        if found[0] is None:
            self.drift["timestamp"] += 1
            self.odd += 1
        return found


def _instant(text: str) -> tuple[float | None, bool]:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None, False
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC).timestamp(), False
    return moment.timestamp(), True
